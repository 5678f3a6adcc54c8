// callback_us, callback_asleep_us, sync_us, sync_wake_us: from a stream to the host and back.
#include "tests/bench/device/bench.h"
#include "tests/bench/device/stamp.h"

#include <atomic>

namespace {
// Ends at a time that the host has asked for, and leaves a stamp.
__global__ __aicore__ void end_later(GM_ADDR stamp, uint64_t until_ns) {
  while (bench_monotonic_ns() < until_ns) {
    canopy_yield();
  }
  // Release: the host reads it once synchronise has returned.
  std::atomic_ref(*reinterpret_cast<__gm__ uint64_t*>(stamp)).store(bench_ticks(), std::memory_order_release);
}
CANOPY_KERNEL(end_later)
}  // namespace

namespace canopy::bench {
namespace {

constexpr uint64_t kIdleNs = 200'000;  // after which the device's threads sleep

void idle_for(uint64_t ns) {
  const uint64_t until = bench_monotonic_ns() + ns;
  while (ns != 0 && bench_monotonic_ns() < until) {
  }
}

// From the call to the function's first instruction, on another thread.
void callback(const char* name, uint64_t idle_ns, double ns_per_tick) {
  Session session;
  Stream stream;
  uint64_t begun = 0;
  uint64_t calls = 0;
  struct Seen {
    uint64_t& begun;
    uint64_t& calls;
  } seen{begun, calls};
  std::vector<double> samples;
  const size_t rounds = bench_repeats(2000);
  for (size_t i = 0; i < rounds; ++i) {
    idle_for(idle_ns);
    const uint64_t start = bench_ticks();
    must(aclrtLaunchHostFunc(
             stream,
             [](void* p) {
               auto& here = *static_cast<Seen*>(p);
               here.begun = bench_ticks();
               ++here.calls;
             },
             &seen),
         "aclrtLaunchHostFunc");
    stream.synchronize();
    samples.push_back(static_cast<double>(begun - start) * ns_per_tick / 1e3);
    expect_equal(calls, i + 1, "callback: host functions that ran");
  }
  report(name, samples);
}

}  // namespace

void callback_us(double ns_per_tick) { callback("callback_us", 0, ns_per_tick); }
void callback_asleep_us(double ns_per_tick) { callback("callback_asleep_us", kIdleNs, ns_per_tick); }

// A stream on which nothing is queued.
void sync_us(double ns_per_tick) {
  constexpr size_t kBatch = 1000;
  Session session;
  Stream stream;
  std::vector<double> samples;
  for (size_t batch = 0; batch < bench_repeats(200); ++batch) {
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < kBatch; ++i) {
      stream.synchronize();
    }
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / 1e3 / kBatch);
  }
  report("sync_us", samples);
}

// The host sleeps in synchronise for most of a millisecond: from the kernel's last instruction to its return.
void sync_wake_us(double ns_per_tick) {
  Session session;
  Stream stream;
  HbmArray<uint64_t> stamp(1);
  std::vector<double> samples;
  for (size_t i = 0; i < bench_repeats(1000); ++i) {
    must(canopy::launch(end_later, 1, stream, stamp.address(), bench_monotonic_ns() + 1'000'000), "launch of end_later");
    stream.synchronize();
    const uint64_t now = bench_ticks();
    samples.push_back(static_cast<double>(now - stamp[0]) * ns_per_tick / 1e3);
  }
  report("sync_wake_us", samples);
}

}  // namespace canopy::bench
