// oneTBB's side of launch_ns and launch_rate: task_group::run of a lambda that counts. The task is
// the peer's cheapest form of "run this somewhere, tell me when all is done"; unlike a stream it
// keeps no order. Usage: tbb_bench launch_ns launch_rate
#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

// One counter per worker: a shared one would charge the peer for the check.
struct alignas(64) Counter {
  uint64_t value = 0;
};

class Counters {
 public:
  Counters() : slots_(static_cast<size_t>(tbb::this_task_arena::max_concurrency()) + 1) {}
  void add() { ++slots_[static_cast<size_t>(tbb::this_task_arena::current_thread_index())].value; }
  uint64_t sum() const {
    uint64_t all = 0;
    for (const Counter& slot : slots_) {
      all += slot.value;
    }
    return all;
  }

 private:
  std::vector<Counter> slots_;
};

void expect(uint64_t counted, uint64_t launched, const char* name) {
  if (counted != launched) {
    std::fprintf(stderr, "%s: %llu tasks ran, %llu were launched\n", name,
                 static_cast<unsigned long long>(counted),
                 static_cast<unsigned long long>(launched));
    std::exit(1);
  }
}

void launch_ns(double ns_per_tick) {
  constexpr size_t kPrimer = 64;
  constexpr size_t kBatch = 512;
  tbb::task_group group;
  Counters counters;
  std::vector<double> samples;
  const size_t batches = bench_repeats(400);
  for (size_t batch = 0; batch < batches; ++batch) {
    for (size_t i = 0; i < kPrimer; ++i) {
      group.run([&counters] { counters.add(); });
    }
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < kBatch; ++i) {
      group.run([&counters] { counters.add(); });
    }
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / kBatch);
    group.wait();
  }
  expect(counters.sum(), batches * (kPrimer + kBatch), "launch_ns");
  bench_report("launch_ns", samples.data(), samples.size(), 0);
}

void launch_rate(double ns_per_tick) {
  constexpr size_t kLaunches = 100'000;
  tbb::task_group group;
  Counters counters;
  std::vector<double> samples;
  const size_t batches = bench_repeats(20);
  for (size_t batch = 0; batch < batches; ++batch) {
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < kLaunches; ++i) {
      group.run([&counters] { counters.add(); });
    }
    group.wait();
    samples.push_back(kLaunches * 1e3 / (static_cast<double>(bench_ticks() - start) * ns_per_tick));
  }
  expect(counters.sum(), batches * kLaunches, "launch_rate");
  bench_report("launch_rate", samples.data(), samples.size(), 1);
}

}  // namespace

int main(int argc, char** argv) {
  const double ns_per_tick = bench_ns_per_tick();
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "launch_ns") == 0) {
      launch_ns(ns_per_tick);
    } else if (std::strcmp(argv[i], "launch_rate") == 0) {
      launch_rate(ns_per_tick);
    } else {
      std::fprintf(stderr, "tbb_bench: no benchmark is called %s\n", argv[i]);
      return 2;
    }
  }
  return 0;
}
