// blocks48_us: a launch of 48 blocks that meet once in SyncAll, from the launch to the return of
// synchronise, on however few cores the machine has.
#include "canopy/kernel.h"
#include "tests/bench/device/bench.h"

#include <atomic>

namespace {

// Each block arrives, waits for all, and leaves only if all had arrived.
__global__ __aicore__ void bench_meet(GM_ADDR arrived, GM_ADDR left, uint64_t expected) {
  // Relaxed: SyncAll orders the arrivals before the check; the host reads after synchronise.
  std::atomic_ref(*reinterpret_cast<__gm__ uint64_t*>(arrived))
      .fetch_add(1, std::memory_order_relaxed);
  SyncAll();
  if (std::atomic_ref(*reinterpret_cast<__gm__ uint64_t*>(arrived))
          .load(std::memory_order_relaxed) == expected) {
    std::atomic_ref(*reinterpret_cast<__gm__ uint64_t*>(left))
        .fetch_add(1, std::memory_order_relaxed);
  }
}
CANOPY_KERNEL(bench_meet)

}  // namespace

namespace canopy::bench {

void blocks48_us(double ns_per_tick) {
  constexpr uint32_t kBlocks = 48;
  Session session;
  Stream stream;
  HbmArray<uint64_t> arrived(1);
  HbmArray<uint64_t> left(1);
  std::vector<double> samples;
  const size_t launches = bench_repeats(2000);
  for (size_t i = 1; i <= launches; ++i) {
    const uint64_t start = bench_ticks();
    must(
        canopy::launch(bench_meet, kBlocks, stream, arrived.address(), left.address(), i * kBlocks),
        "launch of bench_meet");
    stream.synchronize();
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / 1e3);
    expect_equal(left[0], i * kBlocks, "blocks48_us: blocks that saw all others arrive");
  }
  report("blocks48_us", samples);
}

}  // namespace canopy::bench
