#include "shmem/team/team_book.h"

#include "shmem/rma/rma.h"
#include "shmem/sync/left_watch.h"
#include "shmem/sync/wait.h"
#include "shmem/world/world.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace canopy::shmem {
namespace {

// What a member of the parent brings to a split. One or two teams come of it.
struct Wish {
  uint32_t places[2] = {TeamArea::kNone, TeamArea::kNone};
  uint32_t asked = 0;   // of the arguments, which must be the same on all
  uint32_t failed = 0;  // bit i: team i cannot be
};
static_assert(sizeof(Wish) <= sizeof(Payload));

uint32_t mixed(uint32_t hash, int value) { return (hash ^ static_cast<uint32_t>(value)) * 0x01000193u; }

// All members' wishes, and which of the teams fail because one of them does. Ends the job when the arguments differ.
std::vector<Wish> agreed(Team& parent, const Wish& mine, uint32_t* failed, const char* routine) {
  Payload payload;
  std::memcpy(payload.bytes, &mine, sizeof mine);
  std::vector<Wish> all;
  for (const Payload& one : parent.exchange_all(payload, routine)) {
    std::memcpy(&all.emplace_back(), one.bytes, sizeof(Wish));
    *failed |= all.back().failed;
    if (all.back().asked != mine.asked) {
      World& world = parent.world();
      world.fail_job(kMisuseStatus,
                     fmt::format("pe {}: {} was called with other arguments on PE {}; a split is collective, and all "
                                 "members of the parent team must ask for the same",
                                 world.my_pe(), routine, parent.pe(static_cast<int>(all.size()) - 1)));
    }
  }
  return all;
}

std::vector<int> ranks_of(const Triplet& triplet) {
  std::vector<int> ranks;
  for (int rank = 0; rank < triplet.size; ++rank) {
    ranks.push_back(triplet.at(rank));
  }
  return ranks;
}

}  // namespace

bool Triplet::fits(int of) const {
  if (size <= 0 || start < 0 || start >= of || (stride == 0 && size != 1)) {
    return false;
  }
  const int64_t last = start + static_cast<int64_t>(size - 1) * stride;
  return last >= 0 && last < of;
}

int Triplet::rank_of(int pe) const {
  if (stride == 0) {
    return pe == start ? 0 : -1;
  }
  const int distance = pe - start;
  const int rank = distance / stride;
  return distance % stride == 0 && rank >= 0 && rank < size ? rank : -1;
}

TeamBook::TeamBook(World& world) : world_(world), made_(40) {
  const auto predefined = [&](std::vector<int> pes) {
    const std::vector<uint32_t> places(pes.size(), fresh_++);
    return std::make_unique<Team>(world, std::move(pes), places, 0);
  };
  std::vector<int> everybody(static_cast<size_t>(world.n_pes()));
  std::iota(everybody.begin(), everybody.end(), 0);
  all_ = predefined(std::move(everybody));
  const PathPlan& plan = world.plan();
  shared_ = predefined(plan.groups()[static_cast<size_t>(plan.group_of(world.my_pe()))]);
}

uint32_t TeamBook::take_place() {
  std::lock_guard lock(mutex_);
  if (!free_.empty()) {
    const uint32_t place = free_.back();
    free_.pop_back();
    const uint64_t stride = TeamArea::stride(world_.n_pes());
    std::memset(reinterpret_cast<std::byte*>(world_.hot().base) + place * stride, 0, stride);
    return place;
  }
  return fresh_ < TeamArea::kTeams ? fresh_++ : TeamArea::kNone;
}

void TeamBook::give_back(uint32_t place) {
  if (place != TeamArea::kNone) {
    std::lock_guard lock(mutex_);
    free_.push_back(place);
  }
}

void* TeamBook::enter(Team& parent, const std::vector<int>& ranks, const std::vector<uint32_t>& places, int num_contexts) {
  std::vector<int> pes;
  for (const int rank : ranks) {
    pes.push_back(parent.pe(rank));
  }
  return made_.insert(std::make_unique<Team>(world_, std::move(pes), places, num_contexts));
}

TeamBook::Split TeamBook::split_strided(Team& parent, const Triplet& triplet, int num_contexts) {
  constexpr const char* kRoutine = "shmem_team_split_strided";
  Wish mine;
  mine.asked = mixed(mixed(mixed(1, triplet.start), triplet.stride), triplet.size);
  const bool fits = triplet.fits(parent.size());
  const bool member = fits && triplet.rank_of(parent.rank()) >= 0;
  if (!fits) {
    fail(Errc::out_of_range, "pe {}: start {}, stride {}, size {} does not lie within a team of {} PEs", world_.my_pe(),
         triplet.start, triplet.stride, triplet.size, parent.size());
    mine.failed = 1;
  } else if (member) {
    mine.places[0] = take_place();
    if (mine.places[0] == TeamArea::kNone) {
      fail(Errc::limit, "pe {}: this PE is a member of {} teams already", world_.my_pe(), TeamArea::kTeams);
      mine.failed = 1;
    }
  }
  uint32_t failed = 0;
  const std::vector<Wish> all = agreed(parent, mine, &failed, kRoutine);
  if (failed != 0) {
    give_back(mine.places[0]);
    return {false};
  }
  if (!member) {
    return {true};
  }
  const std::vector<int> ranks = ranks_of(triplet);
  std::vector<uint32_t> places;
  for (const int rank : ranks) {
    places.push_back(all[static_cast<size_t>(rank)].places[0]);
  }
  return {true, enter(parent, ranks, places, num_contexts)};
}

std::pair<TeamBook::Split, TeamBook::Split> TeamBook::split_2d(Team& parent, int xrange, int x_contexts, int y_contexts) {
  constexpr const char* kRoutine = "shmem_team_split_2d";
  Wish mine;
  mine.asked = mixed(2, xrange);
  if (xrange <= 0) {
    fail(Errc::out_of_range, "pe {}: xrange {}: a row has at least one PE", world_.my_pe(), xrange);
    mine.failed = 3;
  } else {
    for (uint32_t axis : {0u, 1u}) {
      mine.places[axis] = take_place();
      if (mine.places[axis] == TeamArea::kNone) {
        fail(Errc::limit, "pe {}: this PE is a member of {} teams already", world_.my_pe(), TeamArea::kTeams);
        mine.failed = 3;
      }
    }
  }
  uint32_t failed = 0;
  const std::vector<Wish> all = agreed(parent, mine, &failed, kRoutine);
  if (failed != 0) {
    give_back(mine.places[0]);
    give_back(mine.places[1]);
    return {{false}, {false}};
  }
  xrange = std::min(xrange, parent.size());
  const int row = parent.rank() / xrange * xrange;
  const int column = parent.rank() % xrange;
  const Triplet axes[2] = {{row, 1, std::min(xrange, parent.size() - row)},
                           {column, xrange, (parent.size() - column + xrange - 1) / xrange}};
  Split made[2];
  for (size_t axis : {0u, 1u}) {
    const std::vector<int> ranks = ranks_of(axes[axis]);
    std::vector<uint32_t> places;
    for (const int rank : ranks) {
      places.push_back(all[static_cast<size_t>(rank)].places[axis]);
    }
    made[axis] = {true, enter(parent, ranks, places, axis == 0 ? x_contexts : y_contexts)};
  }
  return {made[0], made[1]};
}

std::vector<Team*> TeamBook::all_of_own() const {
  std::vector<Team*> teams = {all_.get(), shared_.get()};
  for (const void* handle : made_.handles()) {
    teams.push_back(made_.find(handle));
  }
  std::lock_guard lock(mutex_);
  for (const auto& [set, team] : active_sets_) {
    teams.push_back(team.get());
  }
  return teams;
}

bool TeamBook::destroy(const void* handle) {
  Team* team = made_.find(handle);
  if (team == nullptr) {
    return false;
  }
  // All that was ever sent to this PE's area has arrived when everybody is here.
  team->sync("shmem_team_destroy");
  const std::unique_ptr<Team> gone = made_.remove(handle);
  give_back(gone->place());
  return true;
}

// The first member tells each other one, by its mailbox, which area it uses; each writes its own into its cell there;
// and the first tells all.
std::vector<uint32_t> TeamBook::tell_places(const Triplet& set, uint32_t mine, uint64_t* mailbox, const char* routine) {
  const int me = set.rank_of(world_.my_pe());
  std::vector<uint32_t> places(static_cast<size_t>(set.size), mine);
  const uint64_t stride = TeamArea::stride(world_.n_pes());
  const auto area = [&](uint32_t place) { return reinterpret_cast<std::byte*>(world_.hot().base) + place * stride; };
  const auto cell = [&](uint32_t place, int writer) {
    return reinterpret_cast<TeamCell*>(area(place) + TeamArea::cell_at(writer));
  };
  const auto signal = [&](uint64_t* word, uint64_t value, int rank) {
    signal_op<FromLibrary>(world_.hot(), word, value, SignalChange::set, set.at(rank), routine);
  };
  const auto await = [&](uint64_t* word, int from) {
    const auto come = [&] { return load_acquire(word) != 0; };  // acquire: pairs with the signal's release
    LeftWatch watch(world_, set.at(from));
    wait_for(world_, world_.bell(), [&] { return come() || watch.left(); }, watch.waker(), routine, [&] {
      return fmt::format("pe {} waits in {} for PE {}, to use this active set for the first time", world_.my_pe(), routine,
                         set.at(from));
    });
    if (!come()) {
      world_.left_early(routine, set.at(from));
    }
    return load_acquire(word);
  };
  auto* table = reinterpret_cast<uint32_t*>(area(mine) + TeamArea::places_at(set.size));
  if (me == 0) {
    for (int rank = 1; rank < set.size; ++rank) {
      signal(mailbox, uint64_t{mine} + 1, rank);
    }
    for (int rank = 1; rank < set.size; ++rank) {
      uint64_t* word = &cell(mine, rank)->told;
      places[static_cast<size_t>(rank)] = static_cast<uint32_t>(await(word, rank)) - 1;
      store_release(word, uint64_t{0});  // before it hears of the others, it tells nothing more
    }
    for (int rank = 1; rank < set.size; ++rank) {
      auto* theirs = reinterpret_cast<uint32_t*>(area(places[static_cast<size_t>(rank)]) + TeamArea::places_at(set.size));
      put<FromLibrary, sizeof(uint32_t), Completion::nbi>(world_.hot(), theirs, places.data(), places.size(), set.at(rank), routine);
      signal(&cell(places[static_cast<size_t>(rank)], 0)->exchange[0], 1, rank);
    }
    quiet(routine);  // the places leave with this call
    return places;
  }
  const auto first = static_cast<uint32_t>(await(mailbox, 0)) - 1;
  store_release(mailbox, uint64_t{0});
  signal(&cell(first, me)->told, uint64_t{mine} + 1, 0);
  await(&cell(mine, 0)->exchange[0], 0);  // stays: no exchange has a number below 2 there
  std::copy(table, table + set.size, places.begin());
  return places;
}

Result<Team*> TeamBook::active_set(const Triplet& set, uint64_t* mailbox, const char* routine) {
  const std::tuple key(set.start, set.stride, set.size);
  {
    std::lock_guard lock(mutex_);
    if (const auto known = active_sets_.find(key); known != active_sets_.end()) {
      return known->second.get();
    }
  }
  const uint32_t mine = take_place();
  if (mine == TeamArea::kNone) {
    return fail(Errc::limit, "pe {}: {}: this PE is a member of {} teams and active sets already", world_.my_pe(), routine,
                TeamArea::kTeams);
  }
  std::vector<uint32_t> places = tell_places(set, mine, mailbox, routine);
  auto team = std::make_unique<Team>(world_, ranks_of(set), std::move(places), 0);
  std::lock_guard lock(mutex_);
  return active_sets_.emplace(key, std::move(team)).first->second.get();
}

}  // namespace canopy::shmem
