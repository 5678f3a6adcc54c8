#include "runtime/base/yield.h"

#include "runtime/base/clock.h"

#include <sched.h>

#include <algorithm>

namespace canopy {
namespace {

// Plain data, so that it is there in every thread and at any time of its life.
thread_local constinit MoveRule t_rule;

// To whichever core the kernel chooses but this one. Not if the thread may use this one only, or is one of a machine with more
// cores than a cpu_set_t has.
void move_to_another_core() {
  cpu_set_t allowed;
  const int here = ::sched_getcpu();
  if (here < 0 || ::sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return;
  }
  cpu_set_t others = allowed;
  CPU_CLR(static_cast<size_t>(here), &others);
  if (CPU_COUNT(&others) != 0 && ::sched_setaffinity(0, sizeof others, &others) == 0) {
    ::sched_setaffinity(0, sizeof allowed, &allowed);
  }
}

}  // namespace

bool MoveRule::after_yield(uint64_t now_ns, uint64_t took_ns) {
  const bool on_trial = trial_ != 0;
  trial_ -= on_trial ? 1 : 0;
  if (took_ns < kSharedNs) {
    shared_ -= shared_ != 0 ? 1 : 0;
    return false;
  }
  if (now_ns - last_shared_ns_ > kCalmNs + took_ns) {
    pause_ns_ = kFirstPauseNs;
  }
  last_shared_ns_ = now_ns;
  if (took_ns >= kWorkerNs) {
    shared_ = 0;
    trial_ = 0;
    return on_trial;
  }
  if (++shared_ < kMostShared || now_ns < next_move_ns_) {
    return false;
  }
  shared_ = 0;
  trial_ = kTrialYields;
  next_move_ns_ = now_ns + pause_ns_;
  pause_ns_ = std::min(2 * pause_ns_, kLongestPauseNs);
  return true;
}

void yield_core() {
  const uint64_t before = monotonic_ns();
  ::sched_yield();
  const uint64_t now = monotonic_ns();
  if (t_rule.after_yield(now, now - before)) [[unlikely]] {
    move_to_another_core();
  }
}

}  // namespace canopy
