#include "shmem/sync/wait.h"

#include "runtime/base/log.h"
#include "shmem/world/world.h"

#include <sched.h>

#include <chrono>

namespace canopy::shmem {
namespace {

// How long a plain store by the program may go unnoticed.
constexpr uint64_t kLookNs = 5'000'000;
constexpr uint64_t kReportNs = 60'000'000'000;

// Before the general policy: give the CPU away this many times, about 50 us on an idle machine.
// Counted in yields, not in time: on a loaded machine one yield may last ms, and PEs that went to
// sleep after each such yield then pay a wake-up per barrier and stay in that rhythm (2026-11, 2
// cores under load 10: barriers of 2, 4, 8 PEs took 2, 146, 919 us without this and 0.04, 12, 41 us
// with it).
constexpr int kYields = 100;

bool yield_until(FunctionRef<bool()> ready) {
  for (int i = 0; i < kYields; ++i) {
    if (ready()) {
      return true;
    }
    ::sched_yield();
  }
  return false;
}

}  // namespace

void wait_on_host(World& world, Doorbell& bell, FunctionRef<bool()> ready, WakenBy waker,
                  FunctionRef<std::string()> describe) {
  if (yield_until(ready)) {
    return;
  }
  const Deadline deadline = Deadline::user_default();
  const uint64_t start = monotonic_ns();
  uint64_t report_at = start + kReportNs;
  for (;;) {
    const uint64_t now = monotonic_ns();
    Deadline slice = deadline;
    if (waker == WakenBy::anyone && deadline.left(now).count() > static_cast<int64_t>(kLookNs)) {
      slice = Deadline::at_ns(now + kLookNs);
    }
    if (canopy::wait_until(ready, &bell, BellScope::host, slice, describe) == WaitEnd::ready) {
      return;
    }
    const uint64_t then = monotonic_ns();
    if (deadline.passed(then)) {
      world.fail_job(kTimeoutStatus, fmt::format("gave up after {} ms (CANOPY_TIMEOUT): {}",
                                                 (then - start) / 1'000'000, describe()));
    }
    if (then >= report_at) {
      report(
          fmt::format("still waiting after {} s: {}", (then - start) / 1'000'000'000, describe()));
      report_at = then + kReportNs;
    }
  }
}

}  // namespace canopy::shmem
