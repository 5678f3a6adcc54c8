// launch_rate_8threads: 8 host threads, a stream each. launch_rate_{1,8,64,512}streams: one host thread that goes round
// so many streams, a launch on each in turn: what a task costs is not to depend on how many streams there are.
#include "canopy/kernel.h"
#include "tests/bench/device/bench.h"

#include <latch>
#include <memory>
#include <thread>

namespace {
// A line for each stream's counter.
constexpr size_t kStride = 8;

__global__ __aicore__ void bench_count_own(GM_ADDR counter) {
  ++*reinterpret_cast<__gm__ uint64_t*>(counter);
}
CANOPY_KERNEL(bench_count_own)
}  // namespace

namespace canopy::bench {
namespace {

constexpr size_t kLaunches = 102'400;

class Streams {
 public:
  explicit Streams(size_t count) : counters_(count * kStride) {
    for (size_t i = 0; i < count; ++i) {
      streams_.push_back(std::make_unique<Stream>());
    }
  }
  size_t size() const { return streams_.size(); }
  void launch(size_t i) {
    const aclError code = canopy::launch(bench_count_own, 1, *streams_[i], counters_.address(i * kStride));
    if (code != ACL_SUCCESS) [[unlikely]] {
      must(code, "launch of bench_count_own");
    }
  }
  void synchronize(size_t i) { streams_[i]->synchronize(); }
  void expect_each(uint64_t runs) {
    for (size_t i = 0; i < size(); ++i) {
      expect_equal(counters_[i * kStride], runs, "many streams: kernels that ran on one");
    }
  }

 private:
  std::vector<std::unique_ptr<Stream>> streams_;
  HbmArray<uint64_t> counters_;
};

void round_robin(const char* name, size_t count, double ns_per_tick) {
  Session session;
  Streams streams(count);
  const size_t each = kLaunches / count;
  std::vector<double> samples;
  const size_t batches = bench_repeats(20);
  for (size_t batch = 0; batch < batches; ++batch) {
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < each * count; ++i) {
      streams.launch(i % count);
    }
    for (size_t i = 0; i < count; ++i) {
      streams.synchronize(i);
    }
    samples.push_back(static_cast<double>(each * count) * 1e3 /
                      (static_cast<double>(bench_ticks() - start) * ns_per_tick));
  }
  streams.expect_each(batches * each);
  report(name, samples, true);
}

}  // namespace

void launch_rate_1stream(double ns_per_tick) {
  round_robin("launch_rate_1stream", 1, ns_per_tick);
}
void launch_rate_8streams(double ns_per_tick) {
  round_robin("launch_rate_8streams", 8, ns_per_tick);
}
void launch_rate_64streams(double ns_per_tick) {
  round_robin("launch_rate_64streams", 64, ns_per_tick);
}
void launch_rate_512streams(double ns_per_tick) {
  round_robin("launch_rate_512streams", 512, ns_per_tick);
}

void launch_rate_8threads(double ns_per_tick) {
  constexpr size_t kThreads = 8;
  Session session;
  Streams streams(kThreads);
  std::vector<double> samples;
  const size_t batches = bench_repeats(20);
  for (size_t batch = 0; batch < batches; ++batch) {
    std::latch ready(kThreads + 1);
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&streams, &ready, i] {
        must(aclrtSetDevice(0), "aclrtSetDevice(0)");
        ready.arrive_and_wait();
        for (size_t k = 0; k < kLaunches / kThreads; ++k) {
          streams.launch(i);
        }
        streams.synchronize(i);
      });
    }
    ready.arrive_and_wait();
    const uint64_t start = bench_ticks();
    threads.clear();
    samples.push_back(kLaunches * 1e3 / (static_cast<double>(bench_ticks() - start) * ns_per_tick));
  }
  streams.expect_each(batches * kLaunches / kThreads);
  report("launch_rate_8threads", samples, true);
}

}  // namespace canopy::bench
