// TeamBook: the teams that this PE is a member of: the predefined ones, those that splits made, and those that
// active sets stand for. Gives out the PE's team areas.
//
// Looking a team up takes no lock. Splits, destroys and the first use of an active set are collective over their
// members; different ones may be made by different threads at the same time.
#pragma once

#include "runtime/base/handle_table.h"
#include "runtime/base/result.h"
#include "shmem/team/team.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

namespace canopy::shmem {

// PEs start, start + stride, ... of a team, by its ranks.
struct Triplet {
  int start;
  int stride;
  int size;

  // Whether all are of 0 .. of-1, and no rank comes twice.
  bool fits(int of) const;
  int at(int rank) const { return start + rank * stride; }
  int rank_of(int pe) const;  // -1: none
};

class TeamBook {
 public:
  explicit TeamBook(World& world);

  Team& all() { return *all_; }
  Team& shared() { return *shared_; }
  // Every team that this PE is a member of. REQUIRES: no other thread makes or destroys one.
  std::vector<Team*> all_of_own() const;
  // Null when `handle` names no team that lives.
  Team* find(const void* handle) const { return made_.find(handle); }

  struct Split {
    bool good;              // the same on every member of the parent
    void* handle = nullptr;  // null where this PE is no member
  };
  // Collective over the parent. The reason of a failure is in the error text.
  Split split_strided(Team& parent, const Triplet& triplet, int num_contexts);
  // Both teams of split_2d; xrange > 0, else both fail.
  std::pair<Split, Split> split_2d(Team& parent, int xrange, int x_contexts, int y_contexts);
  // Collective over the team. False: the handle names none.
  bool destroy(const void* handle);

  // The team of an active set, made at the set's first use by all its members, with `mailbox`, a symmetric word
  // that is 0 on all of them and 0 again afterwards. Fails when no team area is left.
  Result<Team*> active_set(const Triplet& set, uint64_t* mailbox, const char* routine);

 private:
  // An area of this PE's, cleared; kNone when all are in use.
  uint32_t take_place();
  void give_back(uint32_t place);
  void* enter(Team& parent, const std::vector<int>& ranks, const std::vector<uint32_t>& places, int num_contexts);
  std::vector<uint32_t> tell_places(const Triplet& set, uint32_t mine, uint64_t* mailbox, const char* routine);

  World& world_;
  std::unique_ptr<Team> all_;
  std::unique_ptr<Team> shared_;
  HandleTable<Team> made_;
  mutable std::mutex mutex_;  // guards the rest
  std::vector<uint32_t> free_;
  uint32_t fresh_ = 0;  // those from here on have never been used
  std::map<std::tuple<int, int, int>, std::unique_ptr<Team>> active_sets_;
};

}  // namespace canopy::shmem
