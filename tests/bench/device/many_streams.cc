// launch_rate_8threads: 8 host threads, a stream each. Of one host thread that goes round so many streams, a launch on each
// in turn, for what a task costs is not to depend on how many streams there are: launch_rate_{1,8,64,512}streams end to end,
// launch_ns_{8,64,512}streams the host's part, task_ns_{1,8,64,512}streams the device's, of tasks that are all queued.
#include "canopy/kernel.h"
#include "tests/bench/device/bench.h"
#include "tests/bench/device/stamp.h"

#include <algorithm>
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

__global__ __aicore__ void many_streams_gate(GM_ADDR gate, uint64_t round) {
  canopy::bench::pass_gate(reinterpret_cast<__gm__ uint64_t*>(gate), round);
}
CANOPY_KERNEL(many_streams_gate)
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
  void synchronize_all() {
    for (size_t i = 0; i < size(); ++i) {
      synchronize(i);
    }
  }
  aclrtStream operator[](size_t i) const { return *streams_[i]; }
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
    streams.synchronize_all();
    samples.push_back(static_cast<double>(each * count) * 1e3 /
                      (static_cast<double>(bench_ticks() - start) * ns_per_tick));
  }
  streams.expect_each(batches * each);
  report(name, samples, true);
}

// As launch_ns, but round the streams.
void host_cost(const char* name, size_t count, double ns_per_tick) {
  constexpr size_t kBatch = 512;
  Session session;
  Streams streams(count);
  const size_t primer = std::max<size_t>(count, 64);
  std::vector<double> samples;
  const size_t batches = bench_repeats(400);
  for (size_t batch = 0; batch < batches; ++batch) {
    for (size_t i = 0; i < primer; ++i) {
      streams.launch(i % count);
    }
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < kBatch; ++i) {
      streams.launch(i % count);
    }
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / kBatch);
    streams.synchronize_all();
  }
  streams.expect_each(batches * (primer + kBatch) / count);
  report(name, samples);
}

void device_cost(const char* name, size_t count, double ns_per_tick) {
  constexpr size_t kMostOfOne = 1536;  // a stream takes 2,013
  constexpr size_t kTasks = 16'384;
  Session session;
  Streams streams(count);
  HbmArray<uint64_t> gate(1);
  const size_t each = std::min(kMostOfOne, kTasks / count);
  std::vector<double> samples;
  const uint64_t rounds = bench_repeats(100);
  for (uint64_t round = 1; round <= rounds; ++round) {
    aclrtEvent opened = nullptr;
    must(aclrtCreateEvent(&opened), "aclrtCreateEvent");
    must(canopy::launch(many_streams_gate, 1, streams[0], gate.address(), round), "launch of many_streams_gate");
    must(aclrtRecordEvent(opened, streams[0]), "aclrtRecordEvent");
    for (size_t i = 0; i < count; ++i) {
      if (i != 0) {
        must(aclrtStreamWaitEvent(streams[i], opened), "aclrtStreamWaitEvent");
      }
      for (size_t k = 0; k < each; ++k) {
        streams.launch(i);
      }
    }
    const uint64_t start = bench_ticks();
    open_gate(gate[0], round);
    streams.synchronize_all();
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / static_cast<double>(each * count));
    must(aclrtDestroyEvent(opened), "aclrtDestroyEvent");
  }
  streams.expect_each(rounds * each);
  report(name, samples);
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

void launch_ns_8streams(double ns_per_tick) { host_cost("launch_ns_8streams", 8, ns_per_tick); }
void launch_ns_64streams(double ns_per_tick) { host_cost("launch_ns_64streams", 64, ns_per_tick); }
void launch_ns_512streams(double ns_per_tick) { host_cost("launch_ns_512streams", 512, ns_per_tick); }
void task_ns_1stream(double ns_per_tick) { device_cost("task_ns_1stream", 1, ns_per_tick); }
void task_ns_8streams(double ns_per_tick) { device_cost("task_ns_8streams", 8, ns_per_tick); }
void task_ns_64streams(double ns_per_tick) { device_cost("task_ns_64streams", 64, ns_per_tick); }
void task_ns_512streams(double ns_per_tick) { device_cost("task_ns_512streams", 512, ns_per_tick); }

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
