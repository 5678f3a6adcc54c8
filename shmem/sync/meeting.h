// Meeting: the words by which a set of PEs meets, in the memory of one of them: each has one per set.
// In the control page for all PEs of the job, in the team area for the members of a team.
//
//   lines 0, 1   the central barrier (how many have arrived, and who: at the first PE of those near each other)
//   lines 2..    the dissemination barrier: one line per round, one writer per line
//   then         the barrier between groups: two lines as the first two, and one word per round (at a leader)
//
// Plain integers that only grow, reached through the accessors of runtime/base/cache_line.h.
#pragma once

#include "runtime/base/cache_line.h"

#include <cstddef>
#include <cstdint>

namespace canopy::shmem {

struct ControlPage;

struct Meeting {
  static constexpr int kRounds = 32;  // enough for 2^32 PEs

  static constexpr int kSeen = 56;  // the rest of a line

  alignas(kCacheLine) uint64_t arrived = 0;
  uint8_t seen[kSeen] = {};  // the low bits of the number that member i arrived with last; a hint
  alignas(kCacheLine) uint64_t released = 0;

  struct alignas(kCacheLine) Round {
    uint64_t generation = 0;
  };
  Round rounds[kRounds];

  // The barrier between groups (sync/far_barrier.h), used at a leader: its group's, and what signals from other
  // leaders write.
  alignas(kCacheLine) uint64_t far_arrived = 0;
  alignas(kCacheLine) uint64_t far_released = 0;
  alignas(kCacheLine) uint64_t far_rounds[kRounds] = {};
  alignas(kCacheLine) uint64_t far_leaving[kRounds] = {};
};
static_assert(offsetof(Meeting, released) == 64 && offsetof(Meeting, rounds) == 128);

// One near PE of the set: its page tells who it is, its bell, and whether it leaves.
struct Seat {
  ControlPage* page;
  Meeting* meeting;
};

}  // namespace canopy::shmem
