#include "shmem/world/path_plan.h"

#include "runtime/base/env.h"

#include <algorithm>

namespace canopy::shmem {
namespace {

// Splits 0..n-1 into sets of which all members are related: each PE joins the first set that it
// fits. Deterministic, so that every PE finds the same.
template <class Related>
std::vector<std::vector<int>> cliques(int n, Related&& related) {
  std::vector<std::vector<int>> sets;
  for (int pe = 0; pe < n; ++pe) {
    const auto fits = [&](const std::vector<int>& set) {
      return std::all_of(set.begin(), set.end(), [&](int member) { return related(member, pe); });
    };
    const auto set = std::find_if(sets.begin(), sets.end(), fits);
    if (set == sets.end()) {
      sets.push_back({pe});
    } else {
      set->push_back(pe);
    }
  }
  return sets;
}

// Faults need memory to act on: between divisions it is mapped for them alone. Of cards and of places.
template <class One>
bool divisions_allow(const One& a, const One& b) {
  return a.division == b.division || a.way == PathWay::faulty || b.way == PathWay::faulty;
}

std::vector<int> index_of(const std::vector<std::vector<int>>& sets, size_t n) {
  std::vector<int> index(n);
  for (size_t set = 0; set < sets.size(); ++set) {
    for (const int pe : sets[set]) {
      index[static_cast<size_t>(pe)] = static_cast<int>(set);
    }
  }
  return index;
}

}  // namespace

Result<PathWish> PathWish::from_environment() {
  PathWish wish;
  wish.faulty = env::text("CANOPY_FAULTY");
  const std::string way = env::text("CANOPY_PATH").value_or(wish.faulty ? "faulty" : "");
  if (way == "mapped") {
    wish.way = PathWay::mapped;
  } else if (way == "ofi") {
    wish.way = PathWay::ofi;
  } else if (way == "faulty") {
    wish.way = PathWay::faulty;
    wish.faulty = wish.faulty.value_or("delay=3,reorder");
  } else if (!way.empty()) {
    return fail(Errc::invalid_argument, "CANOPY_PATH={} is none of mapped, ofi, faulty", way);
  }
  const auto per_host = env::integer("CANOPY_PES_PER_HOST").value_or(0);
  if (per_host < 0) {
    return fail(Errc::out_of_range, "CANOPY_PES_PER_HOST={} is not a number of PEs", per_host);
  }
  wish.pes_per_host = static_cast<int>(per_host);
  return wish;
}

PathPlan::PathPlan(const std::vector<Card>& cards, std::vector<std::vector<int>> missed)
    : missed_(std::move(missed)) {
  const int n = static_cast<int>(cards.size());
  places_.reserve(cards.size());
  for (const Card& card : cards) {
    const auto first = std::find_if(cards.begin(), cards.end(),
                                    [&](const Card& other) { return other.boot_id == card.boot_id; });
    places_.push_back({card.way, card.divided, card.division, static_cast<int>(first - cards.begin())});
  }
  groups_ = cliques(n, [this](int a, int b) { return near(a, b); });
  hosts_ = cliques(n, [this](int a, int b) {
    return mapped(a, b) && place(a).division == place(b).division;
  });
  group_of_ = index_of(groups_, cards.size());
  host_of_ = index_of(hosts_, cards.size());
}

bool PathPlan::may_map(const Card& a, const Card& b) {
  return a.boot_id == b.boot_id && divisions_allow(a, b);
}

bool PathPlan::may_map(const Place& a, const Place& b) {
  return a.machine == b.machine && divisions_allow(a, b);
}

bool PathPlan::forced(int a, int b) const {
  const Place& one = place(a);
  const Place& other = place(b);
  if (one.divided && one.division == other.division) {
    return false;
  }
  const auto forces = [](const Place& at) {
    return at.way == PathWay::ofi || at.way == PathWay::faulty;
  };
  return forces(one) || forces(other);
}

bool PathPlan::mapped(int a, int b) const {
  const auto misses = [this](int pe, int other) {
    const auto& list = missed_[static_cast<size_t>(pe)];
    return std::find(list.begin(), list.end(), other) != list.end();
  };
  return a == b || (may_map(place(a), place(b)) && !misses(a, b) && !misses(b, a));
}

bool PathPlan::near(int a, int b) const {
  return mapped(a, b) && !forced(a, b) && place(a).division == place(b).division;
}

Path PathPlan::path(int from, int to) const {
  if (!mapped(from, to)) {
    return Path::ofi;
  }
  if (forced(from, to)) {
    const auto wants_ofi = [this](int pe) { return place(pe).way == PathWay::ofi; };
    return wants_ofi(from) || wants_ofi(to) ? Path::ofi : Path::posted_mapped;
  }
  return from == to ? Path::self : Path::mapped;
}

}  // namespace canopy::shmem
