// The bare layer below a launch on a device whose threads sleep: one thread wakes another by futex and
// spins for its answer. Usage: wake_bench launch_sync_asleep_us
#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

constexpr uint64_t kIdleNs = 200'000;

std::atomic<uint32_t> request{0};
std::atomic<uint32_t> answer{0};

void futex(int operation, uint32_t value) {
  ::syscall(SYS_futex, &request, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
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

}  // namespace

int main() {
  const double ns_per_tick = bench_ns_per_tick();
  const auto rounds = static_cast<uint32_t>(bench_repeats(2000));
  std::vector<double> samples;
  std::jthread server(serve, rounds);
  for (uint32_t round = 1; round <= rounds; ++round) {
    const uint64_t idle_until = bench_monotonic_ns() + kIdleNs;
    while (bench_monotonic_ns() < idle_until) {
    }
    const uint64_t start = bench_ticks();
    request.store(round, std::memory_order_release);
    futex(FUTEX_WAKE, INT_MAX);
    while (answer.load(std::memory_order_acquire) < round) {
    }
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / 1e3);
  }
  bench_report("launch_sync_asleep_us", samples.data(), samples.size(), 0);
}
