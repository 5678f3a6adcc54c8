#include "runtime/base/waiter.h"

#include "runtime/base/env.h"
#include "runtime/base/log.h"
#include "runtime/base/wait_report.h"
#include "runtime/base/yield.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace canopy {
namespace {

// None where ranks outnumber cores: whoever is waited for may need this core, and 24 pauses are up to 1.5 us, three
// yields' time (2026-11, 2 cores: barriers of 4 and 8 PEs took 5.1 and 12.8 us with them, 2.0 and 5.7 us without).
constexpr uint32_t kFreeSteps = 24;
constexpr uint32_t kSpinSteps = 2000;  // with a permit: about 40 us of pauses
// A permit says that there are cores enough, not that the kernel has spread the threads over them: now and then the spinner
// looks whether who is waited for sits on this very core, and then leaves it. (2026-11, 2 cores: blocks48_us was 12 or 118, run
// by run, without a look.)
constexpr uint32_t kSpinStepsPerYield = 256;
// The same for who does more than pause between two steps: a look at a network's queues takes 1.5 us, so
// kSpinSteps of them are 3 ms, in which whoever is waited for may lack the core. 1 ms: a transfer of 1 MiB
// over loopback takes 0.2 ms and is not to lose its core half way.
constexpr uint64_t kSpinNs = 1'000'000;
constexpr uint32_t kStepsPerTimeCheck = 8;
// Counted, not timed: on a loaded machine one yield may last ms, and whoever went to sleep after one
// such yield would pay a wake-up for every wait and stay in that rhythm (2026-11, 2 cores under load
// 10: barriers of 4 and 8 PEs took 146 and 919 us timed, 12 and 41 us counted).
constexpr uint32_t kYields = 100;
// 2026-11, put of 1 MiB over loopback by a rank that mpirun has bound to its core: 8 % of its time went into yields.
constexpr uint32_t kCostlyPollsPerYield = 4;
constexpr uint64_t kFirstNapNs = 50'000;
constexpr uint64_t kLongestNapNs = 1'000'000;
constexpr uint64_t kLongestNapOfLongWaitsNs = 16'000'000;
// Relaxed: a number, nothing else.
std::atomic<uint64_t> g_report_ns{kWaitReportInterval.count()};

// All cores of the host: mpirun may have bound this rank to one of them.
bool more_ranks_than_cores() { return env::ranks_on_machine() > ::sysconf(_SC_NPROCESSORS_ONLN); }

// With more ranks than cores nobody spins: whoever would be spun for needs the core (2026-11, 2 cores, 4
// PEs: barriers of 300 us with permits, 10 to 15 us without).
uint32_t permits(uint32_t limit) { return more_ranks_than_cores() ? 0 : limit; }

struct Budget {
  uint32_t private_used = 0;
  uint32_t private_own = 0;
  std::atomic<uint32_t*> used{&private_used};
  std::atomic<uint32_t*> own{&private_own};
  std::atomic<uint32_t> limit{permits(static_cast<uint32_t>(usable_cores() - 1))};
};

// Leaked on purpose: executors may wait while static destructors run.
Budget& budget() {
  static Budget* instance = new Budget;
  return *instance;
}

// An executor was refused a permit. Relaxed: a hint, which orders nothing; read by every spinner of this
// process, written only when permits are short.
alignas(kCacheLine) std::atomic<bool> executor_wants{false};

// The permit is returned to the counter it was taken from, even if attach() came in between.
thread_local uint32_t* t_permit_from = nullptr;

}  // namespace

void set_wait_report_interval(std::chrono::nanoseconds interval) {
  g_report_ns.store(static_cast<uint64_t>(interval.count()), std::memory_order_relaxed);
}

int usable_cores() {
  static const int cores = [] {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
      return std::max(1, CPU_COUNT(&set));
    }
    return 1;
  }();
  return cores;
}

void SpinBudget::attach(uint32_t* used, uint32_t* own, uint32_t limit) {
  Budget& b = budget();
  // Release: the counters' memory is mapped before anybody can see the pointers.
  b.own.store(own, std::memory_order_release);
  b.used.store(used, std::memory_order_release);
  b.limit.store(permits(limit), std::memory_order_relaxed);
}

void SpinBudget::detach() {
  Budget& b = budget();
  attach(&b.private_used, &b.private_own, static_cast<uint32_t>(usable_cores() - 1));
}

bool SpinBudget::try_acquire() {
  Budget& b = budget();
  // Acquire: pairs with attach().
  uint32_t* used = b.used.load(std::memory_order_acquire);
  std::atomic_ref<uint32_t> count(*used);
  // Relaxed throughout: the counter limits, it orders nothing.
  uint32_t seen = count.load(std::memory_order_relaxed);
  do {
    if (seen >= b.limit.load(std::memory_order_relaxed)) {
      return false;
    }
  } while (!count.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed));
  std::atomic_ref<uint32_t>(*b.own.load(std::memory_order_acquire)).fetch_add(1, std::memory_order_relaxed);
  t_permit_from = used;
  return true;
}

bool SpinBudget::crowded() {
  static const bool crowded = more_ranks_than_cores();
  return crowded;
}

void SpinBudget::release() {
  Budget& b = budget();
  uint32_t* used = std::exchange(t_permit_from, nullptr);
  if (used == nullptr) {
    return;
  }
  if (used == b.used.load(std::memory_order_acquire)) {
    std::atomic_ref<uint32_t>(*b.own.load(std::memory_order_acquire)).fetch_sub(1, std::memory_order_relaxed);
    std::atomic_ref<uint32_t>(*used).fetch_sub(1, std::memory_order_relaxed);
  } else if (used == &b.private_used) {
    std::atomic_ref<uint32_t>(*used).fetch_sub(1, std::memory_order_relaxed);
  }
}

Deadline Deadline::after(std::chrono::nanoseconds span) {
  if (span == std::chrono::nanoseconds::max()) {
    return never();
  }
  return Deadline(monotonic_ns() + static_cast<uint64_t>(std::max<int64_t>(span.count(), 0)));
}

Deadline Deadline::user_default() {
  static const int64_t seconds = env::integer("CANOPY_TIMEOUT").value_or(0);
  return seconds <= 0 ? never() : after(std::chrono::seconds(seconds));
}

std::chrono::nanoseconds Deadline::left(uint64_t now_ns) const {
  if (is_never()) {
    return std::chrono::nanoseconds::max();
  }
  return std::chrono::nanoseconds(now_ns >= at_ns_ ? 0 : at_ns_ - now_ns);
}

bool WaitPacer::may_spin() {
  if (!executor_wants.load(std::memory_order_relaxed)) [[likely]] {
    return true;
  }
  executor_wants.store(false, std::memory_order_relaxed);
  return rank_ == SpinRank::executor;
}

void WaitPacer::pause() const {
  if (cost_ == PollCost::none) {
    cpu_relax();
  }
}

void WaitPacer::yield() {
  if (cost_ == PollCost::none || ++polls_since_yield_ % kCostlyPollsPerYield == 0) {
    ::sched_yield();
  }
}

bool WaitPacer::step() {
  if (polls_ < kFreeSteps && !SpinBudget::crowded()) {
    ++polls_;
    pause();
    return false;
  }
  return slow_step();
}

void WaitPacer::try_permit(uint64_t now_ns) {
  permit_ = SpinBudget::try_acquire();
  spin_until_ns_ = now_ns + kSpinNs;
}

bool WaitPacer::spins_on() {
  if (polls_ % kSpinStepsPerYield == 0) {
    yield_core();
  }
  return ++polls_ < kSpinSteps && may_spin() &&
         (polls_ % kStepsPerTimeCheck != 0 || monotonic_ns() < spin_until_ns_);
}

bool WaitPacer::slow_step() {
  if (start_ns_ == 0) {
    start_ns_ = monotonic_ns();
    if (!SpinBudget::crowded()) {  // else there is none to be had
      try_permit(start_ns_);
    }
  } else if (!permit_ && rank_ == SpinRank::executor && polls_ < kSpinSteps) {
    if (!executor_wants.load(std::memory_order_relaxed)) {
      executor_wants.store(true, std::memory_order_relaxed);
    }
    try_permit(monotonic_ns());  // a host thread may have given it up meanwhile
  }
  if (permit_) {
    if (spins_on()) {
      pause();
      return false;
    }
    drop_permit();
  }
  if (yields_ < kYields) {
    ++yields_;
    yield();
    return false;
  }
  return true;
}

std::chrono::nanoseconds WaitPacer::next_nap(uint64_t waited_ns) {
  const uint64_t longest = std::clamp(waited_ns / 64, kLongestNapNs, kLongestNapOfLongWaitsNs);
  nap_ns_ = nap_ns_ == 0 ? kFirstNapNs : std::min(nap_ns_ * 2, longest);
  return std::chrono::nanoseconds(nap_ns_);
}

void WaitPacer::drop_permit() {
  if (permit_) {
    permit_ = false;
    SpinBudget::release();
  }
}

void WaitPacer::reset() {
  drop_permit();
  polls_ = 0;
  yields_ = 0;
  start_ns_ = 0;
  nap_ns_ = 0;
}

namespace waiter_detail {

namespace {

// About a yield's time of pauses; where they all are is asked anew now and then.
constexpr int kPollsElsewhere = 48;
constexpr int kPollsPerQuestion = 16;

bool comes_from_elsewhere(FunctionRef<bool(Poll)> ready, FunctionRef<bool()> elsewhere) {
  for (int poll = 0; poll < kPollsElsewhere; ++poll) {
    if (poll % kPollsPerQuestion == 0 && !elsewhere()) {
      return false;
    }
    cpu_relax();
    if (ready(Poll::in_passing)) {
      return true;
    }
  }
  return false;
}

}  // namespace

WaitEnd wait_slow(FunctionRef<bool(Poll)> ready, Doorbell* bell, BellScope scope, Deadline deadline,
                  FunctionRef<std::string()> describe, WakenBy waker, const FunctionRef<bool()>* elsewhere) {
  WaitPacer pacer;
  const uint64_t report_ns = g_report_ns.load(std::memory_order_relaxed);
  // Taken when the first sleep is near: most waits end before, and would pay for the clock.
  uint64_t start = 0;
  uint64_t report_at = 0;
  Doorbell nobody_rings;  // a nap is a sleep on a bell that only time ends
  bool rung_for_nothing = false;
  for (;;) {
    if (ready(pacer.spins() ? Poll::in_passing : Poll::closely)) {
      return WaitEnd::ready;
    }
    if (elsewhere != nullptr && comes_from_elsewhere(ready, *elsewhere)) {
      return WaitEnd::ready;
    }
    if (!pacer.step()) {
      continue;
    }
    const uint64_t now = monotonic_ns();
    if (start == 0) {
      start = now - pacer.waited_ns();
      report_at = start + report_ns;
    }
    if (deadline.passed(now)) {
      if (ready(Poll::closely)) {
        return WaitEnd::ready;
      }
      return WaitEnd::deadline;
    }
    if (now >= report_at) {
      report(fmt::format("still waiting after {} s: {}", (now - start) / 1'000'000'000, describe()));
      report_at = now + report_ns;
    }
    const auto report_in = std::chrono::nanoseconds(report_at - now);
    auto limit = std::min(deadline.left(now), report_in);
    // A host bell rings for every store to this PE. Who was woken by one that was not the one waited
    // for naps once, so that a flood of stores does not become a flood of wake-ups.
    const bool nap = bell == nullptr || (rung_for_nothing && scope == BellScope::host);
    if (nap || waker == WakenBy::anyone) {
      limit = std::min(limit, pacer.next_nap(now - start));
    }
    if (nap && bell != nullptr) {
      limit = std::min(limit, WaitPacer::kLongestDeafNap);
    }
    if (nap) {
      rung_for_nothing = false;
      nobody_rings.sleep(BellScope::process, limit, [&] { return !ready(Poll::closely); });
    } else {
      bell->sleep(scope, limit, [&] { return !ready(Poll::closely); });
      rung_for_nothing = true;
    }
  }
}

}  // namespace waiter_detail
}  // namespace canopy
