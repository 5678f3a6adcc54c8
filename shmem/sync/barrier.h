// Barrier: where PEs meet that are all near each other (others: far_barrier.h). Two algorithms over
// their meetings, chosen once, the same on every PE:
//
//   dissemination   PEs <= CPUs. In round r, PE i tells PE i + 2^r and hears from PE i - 2^r. With
//                   two PEs that is one store into the peer's page and one wait: the cost of a line
//                   crossing once each way.
//   central         more PEs than CPUs. The last to arrive at a counter releases all others,
//                   each by its own word: every PE that must wait gives its CPU away once, not once per round.
//
// Words carry the number of the barrier (64 bits, only growing), so nothing is ever reset and a
// fast PE may be one barrier ahead. Every wait is also told when a PE that it waits for leaves the
// job.
//
// One thread (or one block of a kernel) per PE at a time.
#pragma once

#include "runtime/base/waiter.h"
#include "shmem/sync/meeting.h"

#include <cstdint>
#include <vector>

namespace canopy::shmem {

class World;

class Barrier {
 public:
  Barrier() = default;
  // seats[i] is that of member i; `cpus` is how many CPUs the members may use together.
  Barrier(int me, std::vector<Seat> seats, int cpus);

  // Returns when every PE has called it. Earlier stores of any PE are then visible to all.
  // `routine` is what to name in reports.
  void sync(World& world, const char* routine);

  bool is_central() const { return central_; }
  // The same, and the last to arrive calls work() before anybody returns: all others' stores are visible to it,
  // and its stores to them. REQUIRES: is_central().
  void sync_after(World& world, FunctionRef<void()> work, const char* routine);

 private:
  void disseminate(World& world, uint64_t generation, const char* routine);
  bool arrive_last(uint64_t generation);
  void release(uint64_t generation);
  bool all_arrived(uint64_t generation) const;
  bool all_missing_are_elsewhere(uint64_t generation) const;
  void await_release(World& world, uint64_t generation, const char* routine);
  void wait_slow(World& world, const uint64_t* word, uint64_t generation, int from,
                 const char* routine);

  int me_ = 0;
  int n_ = 1;
  bool central_ = false;
  uint64_t generation_ = 0;
  Seat mine_{};
  std::vector<Seat> seats_;
};

}  // namespace canopy::shmem
