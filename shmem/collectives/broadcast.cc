#include "shmem/collectives/collectives.h"
#include "shmem/collectives/objects.h"
#include "transport/base/copy.h"

#include <algorithm>

namespace canopy::shmem {
namespace {

// From here on all work: the giver writes the head to each, while each fetches the tail for itself; and the giver
// waits for them. Below, it writes to each and goes on.
constexpr size_t kShared = 32u << 10;

struct Spread {
  Team& team;
  void* dest;
  size_t bytes;
  const char* routine;

  bool shared() const { return bytes >= kShared; }
  // Every member of the group copies about the same.
  size_t head() const { return shared() ? bytes / team.group().size() / kCacheLine * kCacheLine : bytes; }

  template <class Each>
  void with_others(Each&& each) const {
    for (const int rank : team.group()) {
      if (rank != team.rank()) {
        each(rank);
      }
    }
  }

  // To the others of this member's group, from `data` of its own.
  void give(const void* data) const {
    if (shared()) {
      with_others([&](int rank) { team.tell(rank, routine); });
    }
    with_others([&](int rank) {
      team.put(rank, dest, data, head(), routine);
      team.tell(rank, routine);
    });
    if (shared()) {
      with_others([&](int rank) { team.await(rank, routine); });
    }
  }

  // From a member of the same group, where `data` names it.
  void take(int giver, const void* data) const {
    team.await(giver, routine);
    if (shared()) {
      transport::copy_bytes(at(dest, head()), team.near(giver, at(data, head())), bytes - head());
      team.await(giver, routine);
      team.tell(giver, routine);
    }
  }
};

// Rank 0 of every group but the root's own hears of the root.
void give_to_other_groups(Team& team, void* dest, const void* source, size_t bytes, const char* routine) {
  for (size_t group = 0; group < team.groups().size(); ++group) {
    if (group != team.own_group()) {
      const int leader = team.groups()[group].front();
      team.put(leader, dest, source, bytes, routine);
      team.tell(leader, routine);
    }
  }
}

}  // namespace

void broadcast(Team& team, void* dest, const void* source, size_t bytes, int root, RootDest root_dest,
               const char* routine) {
  if (bytes == 0) {
    return;
  }
  dest = require_symmetric(team, dest, bytes, routine);
  source = require_symmetric(team, source, bytes, routine);
  const Spread spread{team, dest, bytes, routine};
  if (team.rank() == root) {
    give_to_other_groups(team, dest, source, bytes, routine);
    spread.give(source);
    if (root_dest == RootDest::written) {
      team.put(root, dest, source, bytes, routine);
    }
    if (!team.all_near()) {
      team.quiet(routine);  // the source is the program's again
    }
    return;
  }
  const auto& group = team.group();
  if (std::find(group.begin(), group.end(), root) != group.end()) {
    spread.take(root, source);
  } else if (group.front() == team.rank()) {
    team.await(root, routine);
    spread.give(dest);
  } else {
    spread.take(group.front(), dest);
  }
}

}  // namespace canopy::shmem
