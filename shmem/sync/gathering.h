// Gathering: where a fixed set of PEs meets, whichever way they reach each other: by one barrier where all are
// near each other, else by one in two levels. Knows the set's groups: those near each other.
//
// One thread (or one block of a kernel) per PE at a time. Made by each PE of the set with equal arguments.
#pragma once

#include "shmem/sync/barrier.h"
#include "shmem/sync/far_barrier.h"

#include <vector>

namespace canopy::shmem {

class Gathering {
 public:
  Gathering() = default;
  // `pes` in the order of their ranks, this PE among them. place(pe) tells where the set's meeting of `pe` is.
  Gathering(World& world, const std::vector<int>& pes, FunctionRef<Leader(int pe)> place);

  // Returns when every PE has called it. Earlier stores of any PE are then visible to all near it.
  void sync(World& world, const char* routine) {
    all_near() ? barrier_.sync(world, routine) : far_barrier_.sync(world, routine);
  }
  // The same for those of this PE's group.
  void sync_group(World& world, const char* routine) { barrier_.sync(world, routine); }

  bool all_near() const { return groups_.size() <= 1; }
  // By rank, each in order; the first of a group leads it.
  const std::vector<std::vector<int>>& groups() const { return groups_; }
  size_t own_group() const { return own_group_; }
  Barrier& barrier() { return barrier_; }  // of this PE's group
  FarBarrier& far_barrier() { return far_barrier_; }

 private:
  std::vector<std::vector<int>> groups_;
  size_t own_group_ = 0;
  Barrier barrier_;
  FarBarrier far_barrier_;
};

}  // namespace canopy::shmem
