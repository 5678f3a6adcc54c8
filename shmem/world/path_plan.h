// PathPlan: which way leads from PE to PE, and which PEs form a host. Every PE computes the same
// from the same cards and proofs. A value; made at init and read only.
//
//   near     loads and stores: the memory is mapped, and nobody wished otherwise
//   mapped   the memory is mapped, on both sides, whatever the path is
//
// A group is a set of PEs that are all near each other; its leader is the lowest. A host is a set
// of PEs that are mapped to each other: those who would notice each other's death.
//
// Wishes (the same on all PEs; those of one PE count for all its pairs):
//   CANOPY_PATH=mapped       an error when any PE cannot be mapped
//   CANOPY_PATH=ofi          everything through libfabric, to ourselves too
//   CANOPY_PATH=faulty       everything through posted operations with faults (transport/faulty)
//   CANOPY_FAULTY=...        the same, with these faults; between hosts over libfabric
//   CANOPY_PES_PER_HOST=N    take each N PEs for a host of their own (tests): with it, the wishes
//                            above hold for pairs of PEs on different ones only
#pragma once

#include "runtime/base/result.h"
#include "shmem/world/card.h"

#include <optional>
#include <string>
#include <vector>

namespace canopy::shmem {

enum class Path : uint8_t {
  self,
  mapped,         // loads and stores
  posted_mapped,  // posted operations on mapped memory, through transport/faulty
  ofi
};

struct PathWish {
  PathWay way = PathWay::any;
  int pes_per_host = 0;               // 0: as it is
  std::optional<std::string> faulty;  // CANOPY_FAULTY

  static Result<PathWish> from_environment();
};

class PathPlan {
 public:
  PathPlan() = default;
  // missed[a]: the PEs that a tried to map and could not.
  PathPlan(const std::vector<Card>& cards, std::vector<std::vector<int>> missed);

  // Whether `pe` should try to map `other` at all.
  static bool may_map(const Card& a, const Card& b);

  Path path(int from, int to) const;
  bool near(int a, int b) const;
  bool mapped(int a, int b) const;
  const std::vector<std::vector<int>>& groups() const { return groups_; }
  const std::vector<std::vector<int>>& hosts() const { return hosts_; }
  int group_of(int pe) const { return group_of_[static_cast<size_t>(pe)]; }
  int host_of(int pe) const { return host_of_[static_cast<size_t>(pe)]; }
  // True when every PE is near every other.
  bool all_near() const { return groups_.size() <= 1; }

 private:
  // What of a card decides; a copy of all cards would be most of what a PE costs the others.
  struct Place {
    PathWay way;
    bool divided;
    uint32_t division;
    int machine;  // the first PE of the same kernel
  };
  static bool may_map(const Place& a, const Place& b);
  const Place& place(int pe) const { return places_[static_cast<size_t>(pe)]; }
  bool forced(int a, int b) const;

  std::vector<Place> places_;
  std::vector<std::vector<int>> missed_;
  std::vector<std::vector<int>> groups_;
  std::vector<std::vector<int>> hosts_;
  std::vector<int> group_of_;
  std::vector<int> host_of_;
};

}  // namespace canopy::shmem
