#include "shmem/sync/gathering.h"

#include "shmem/world/world.h"

#include <algorithm>
#include <utility>

namespace canopy::shmem {

Gathering::Gathering(World& world, const std::vector<int>& pes, FunctionRef<Leader(int pe)> place) {
  const PathPlan& plan = world.plan();
  std::vector<int> seen;  // groups of the job, in the order of their first member's rank
  for (size_t rank = 0; rank < pes.size(); ++rank) {
    const int group = plan.group_of(pes[rank]);
    const auto at = static_cast<size_t>(std::find(seen.begin(), seen.end(), group) - seen.begin());
    if (at == seen.size()) {
      seen.push_back(group);
      groups_.emplace_back();
    }
    groups_[at].push_back(static_cast<int>(rank));
    if (pes[rank] == world.my_pe()) {
      own_group_ = at;
    }
  }
  std::vector<Seat> seats;
  std::vector<Card> cards;
  int index = 0;
  for (const int rank : groups_[own_group_]) {
    const int pe = pes[static_cast<size_t>(rank)];
    if (pe == world.my_pe()) {
      index = static_cast<int>(seats.size());
    }
    seats.push_back({&world.control(pe), place(pe).meeting});
    cards.push_back(world.card(pe));
  }
  barrier_ = Barrier(index, seats, cpus_together(cards));
  if (!all_near()) {
    std::vector<Leader> leaders;
    for (const auto& group : groups_) {
      leaders.push_back(place(pes[static_cast<size_t>(group.front())]));
    }
    far_barrier_ = FarBarrier(static_cast<size_t>(index), std::move(seats), std::move(leaders), static_cast<int>(own_group_));
  }
}

}  // namespace canopy::shmem
