// launch_ns, launch_cold_ns, launch_rate, launch_sync_us, launch_sync_asleep_us: what a kernel launch costs the host,
// and end to end.
#include "canopy/kernel.h"
#include "tests/bench/device/bench.h"

namespace {
// As good as empty, and yet its effect can be counted: tasks of one stream run one after the other.
__global__ __aicore__ void bench_count(GM_ADDR counter) {
  ++*reinterpret_cast<__gm__ uint64_t*>(counter);
}
CANOPY_KERNEL(bench_count)
}  // namespace

namespace canopy::bench {
namespace {

void launch_one(const Stream& stream, HbmArray<uint64_t>& counter) {
  const aclError code = canopy::launch(bench_count, 1, stream, counter.address());
  if (code != ACL_SUCCESS) [[unlikely]] {
    must(code, "launch of bench_count");
  }
}

}  // namespace

void launch_ns(double ns_per_tick) {
  constexpr size_t kPrimer = 64;  // wakes the device outside the measured part
  constexpr size_t kBatch = 512;
  Session session;
  Stream stream;
  HbmArray<uint64_t> counter(1);
  std::vector<double> samples;
  const size_t batches = bench_repeats(400);
  for (size_t batch = 0; batch < batches; ++batch) {
    for (size_t i = 0; i < kPrimer; ++i) {
      launch_one(stream, counter);
    }
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < kBatch; ++i) {
      launch_one(stream, counter);
    }
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / kBatch);
    stream.synchronize();
  }
  expect_equal(counter[0], batches * (kPrimer + kBatch), "launch_ns: kernels that ran");
  report("launch_ns", samples);
}

// The host's cost of a launch that has to wake one of the device's threads.
void launch_cold_ns(double ns_per_tick) {
  Session session;
  Stream stream;
  HbmArray<uint64_t> counter(1);
  std::vector<double> samples;
  const size_t launches = bench_repeats(2000);
  for (size_t i = 0; i < launches; ++i) {
    const uint64_t idle_until = bench_monotonic_ns() + 200'000;
    while (bench_monotonic_ns() < idle_until) {
    }
    const uint64_t start = bench_ticks();
    launch_one(stream, counter);
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick);
    stream.synchronize();
  }
  expect_equal(counter[0], launches, "launch_cold_ns: kernels that ran");
  report("launch_cold_ns", samples);
}

void launch_rate(double ns_per_tick) {
  constexpr size_t kLaunches = 100'000;
  Session session;
  Stream stream;
  HbmArray<uint64_t> counter(1);
  std::vector<double> samples;
  const size_t batches = bench_repeats(20);
  for (size_t batch = 0; batch < batches; ++batch) {
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < kLaunches; ++i) {
      launch_one(stream, counter);
    }
    stream.synchronize();
    samples.push_back(kLaunches * 1e3 / (static_cast<double>(bench_ticks() - start) * ns_per_tick));
  }
  expect_equal(counter[0], batches * kLaunches, "launch_rate: kernels that ran");
  report("launch_rate", samples, true);
}

namespace {

// One kernel on a device with nothing to do, then synchronise; `idle_ns` without work before each.
void launch_and_synchronize(const char* name, uint64_t idle_ns, double ns_per_tick) {
  Session session;
  Stream stream;
  HbmArray<uint64_t> counter(1);
  std::vector<double> samples;
  const size_t launches = bench_repeats(2000);
  for (size_t i = 0; i < launches; ++i) {
    const uint64_t idle_until = idle_ns == 0 ? 0 : bench_monotonic_ns() + idle_ns;
    while (idle_until != 0 && bench_monotonic_ns() < idle_until) {
    }
    const uint64_t start = bench_ticks();
    launch_one(stream, counter);
    stream.synchronize();
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / 1e3);
    expect_equal(counter[0], i + 1, "launch_sync: kernels that ran before synchronise returned");
  }
  report(name, samples);
}

}  // namespace

void launch_sync_us(double ns_per_tick) { launch_and_synchronize("launch_sync_us", 0, ns_per_tick); }

// The device's threads go to sleep after about 50 us without work: here each launch has to wake one.
void launch_sync_asleep_us(double ns_per_tick) {
  launch_and_synchronize("launch_sync_asleep_us", 200'000, ns_per_tick);
}

}  // namespace canopy::bench
