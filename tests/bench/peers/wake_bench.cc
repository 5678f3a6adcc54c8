// The bare layer below work for a device whose threads sleep, and below a synchronise that has gone to sleep: futexes.
// Usage: wake_bench METRIC...
#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr uint64_t kIdleNs = 200'000;

std::atomic<uint32_t> request{0};
std::atomic<uint32_t> answer{0};

void futex(int operation, uint32_t value) {
  ::syscall(SYS_futex, &request, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

void idle_for(uint64_t ns) {
  const uint64_t until = bench_monotonic_ns() + ns;
  while (bench_monotonic_ns() < until) {
  }
}

void serve(uint32_t rounds) {
  for (uint32_t round = 1; round <= rounds; ++round) {
    // Acquire and release: a request and its answer, as they would carry data.
    while (request.load(std::memory_order_acquire) < round) {
      futex(FUTEX_WAIT, round - 1);
    }
    answer.store(round, std::memory_order_release);
  }
}

// The server sleeps, as the device's threads do after kIdleNs without work.
void wake_and_answer(const char* metric, double ns_per_tick) {
  const auto rounds = static_cast<uint32_t>(bench_repeats(2000));
  std::vector<double> samples;
  std::jthread server(serve, rounds);
  for (uint32_t round = 1; round <= rounds; ++round) {
    idle_for(kIdleNs);
    const uint64_t start = bench_ticks();
    request.store(round, std::memory_order_release);
    futex(FUTEX_WAKE, INT_MAX);
    while (answer.load(std::memory_order_acquire) < round) {
    }
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / 1e3);
  }
  bench_report(metric, samples.data(), samples.size(), 0);
}

// The one that measures sleeps, as a host thread in synchronise does: from the waker's stamp to its return.
void wake_of_a_sleeper(const char* metric, double ns_per_tick) {
  const auto rounds = static_cast<uint32_t>(bench_repeats(1000));
  std::vector<double> samples;
  std::atomic<uint64_t> stamp{0};
  std::atomic<uint32_t> asleep{0};
  std::jthread waker([&] {
    for (uint32_t round = 1; round <= rounds; ++round) {
      while (asleep.load(std::memory_order_acquire) < round) {
      }
      idle_for(5 * kIdleNs);
      stamp.store(bench_ticks(), std::memory_order_relaxed);
      request.store(round, std::memory_order_release);
      futex(FUTEX_WAKE, INT_MAX);
    }
  });
  for (uint32_t round = 1; round <= rounds; ++round) {
    asleep.store(round, std::memory_order_release);
    while (request.load(std::memory_order_acquire) < round) {
      futex(FUTEX_WAIT, round - 1);
    }
    const uint64_t now = bench_ticks();
    samples.push_back(static_cast<double>(now - stamp.load(std::memory_order_relaxed)) * ns_per_tick / 1e3);
  }
  bench_report(metric, samples.data(), samples.size(), 0);
}

}  // namespace

int main(int argc, char** argv) {
  const double ns_per_tick = bench_ns_per_tick();
  for (int i = 1; i < argc; ++i) {
    request = 0;
    answer = 0;
    if (std::strcmp(argv[i], "sync_wake_us") == 0) {
      wake_of_a_sleeper(argv[i], ns_per_tick);
    } else if (std::strcmp(argv[i], "launch_sync_asleep_us") == 0 || std::strcmp(argv[i], "callback_asleep_us") == 0) {
      wake_and_answer(argv[i], ns_per_tick);
    } else {
      std::fprintf(stderr, "wake_bench: no benchmark is called %s\n", argv[i]);
      return 2;
    }
  }
  return 0;
}
