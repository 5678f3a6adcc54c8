// FarBarrier: where PEs meet of which some are not near each other. Two levels:
//
//   1. the PEs of a group (those near each other) count themselves in at their leader's meeting
//   2. the leaders disseminate: in round r leader i signals leader i + 2^r and hears from i - 2^r
//   3. each leader releases its group with one word
//
// Signals add one to a word that has one writer, so that two on their way to it need no order;
// words only grow, and nothing is reset. Who waits is told when a PE that it waits for leaves the
// job.
//
// One thread (or one block of a kernel) per PE at a time.
#pragma once

#include "shmem/sync/meeting.h"
#include "transport/base/transport.h"

#include <cstdint>
#include <vector>

namespace canopy::shmem {

class World;

// The first PE of a group, and its meeting.
struct Leader {
  int pe;
  Meeting* meeting;            // null where loads and stores do not reach it
  transport::Target far_meeting;  // for the way to it, elsewhere
};

class FarBarrier {
 public:
  FarBarrier() = default;
  // `seats` are those of this PE's group: the leader's first, this PE's at `index`. `leaders` are those of
  // all groups, ours at `group`.
  FarBarrier(size_t index, std::vector<Seat> seats, std::vector<Leader> leaders, int group);

  // Returns when every PE has called it. Earlier stores of any PE are then visible to all near it.
  void sync(World& world, const char* routine);
  // Tells other groups that all of this one leave now; waits for nobody. The leader's call.
  void announce_leaving(World& world);
  // What the announcement of group `gone` would write to the page of the leader of group `mine`, of `n`. Any thread,
  // at any time: where a leader hears of it in another way.
  static void note_leaving(ControlPage& leader, int mine, int gone, int n);

 private:
  bool leads() const { return leaders_[static_cast<size_t>(group_)].pe == me_; }
  const Leader& leader_at(int distance) const;
  void gather(World& world, uint64_t generation, const char* routine);
  void disseminate(World& world, uint64_t generation, const char* routine);

  int me_ = 0;
  size_t index_ = 0;
  std::vector<Seat> seats_;
  std::vector<Leader> leaders_;
  int group_ = 0;
  uint64_t generation_ = 0;
};

}  // namespace canopy::shmem
