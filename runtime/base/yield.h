// yield_core(): sched_yield() for who spins with a permit (waiter.h), which also keeps it off the core of whom it waits for.
//
// Two threads that wait for each other in turns can stay on one core for seconds while another one is idle: each runs for some
// microseconds at a time, and the kernel's balancer looks at longer spans (2026-11, 2 cores, a launch and its synchronize:
// 10 to 16 us in 6 of 10 runs, 0.7 in the others). A yield that takes microseconds instead of its 0.3 says that somebody else has
// run here meanwhile: who sees that several times moves to another core that it is allowed to use. Not for who only yields: it has no
// permit, so there may be no core that is free.
#pragma once

#include <cstdint>

namespace canopy {

// Lets others run. The thread's affinity is as before when it returns.
void yield_core();

// When to move, by what yields take. One thread's.
class MoveRule {
 public:
  // After a yield that took `took_ns` and ended at `now_ns`.
  bool after_yield(uint64_t now_ns, uint64_t took_ns);

  // Shorter ones let nobody run; from longer ones on somebody who works is here, not one who waits.
  static constexpr uint64_t kSharedNs = 2'000;
  static constexpr uint64_t kWorkerNs = 200'000;
  // So many shared yields more than others before a move.
  static constexpr uint32_t kMostShared = 4;
  // A move behind another one waits for 1 ms, and twice as long each time up to 1 s: a machine that is full has no better core.
  static constexpr uint64_t kFirstPauseNs = 1'000'000;
  static constexpr uint64_t kLongestPauseNs = 1'000'000'000;
  // After so long without a shared yield it begins anew.
  static constexpr uint64_t kCalmNs = 100'000'000;
  // Yields behind a move within which a worker sends the thread away again, at once.
  static constexpr uint32_t kTrialYields = 8;

 private:
  uint32_t shared_ = 0;
  uint32_t trial_ = 0;  // yields left of it
  uint64_t last_shared_ns_ = 0;
  uint64_t next_move_ns_ = 0;
  uint64_t pause_ns_ = kFirstPauseNs;
};

}  // namespace canopy
