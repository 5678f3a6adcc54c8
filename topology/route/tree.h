// The order in which NPUs pass data down a tree (broadcast; reversed: reduction). A pure function,
// thread-safe.
#pragma once

#include "topology/model/machine.h"

#include <span>
#include <vector>

namespace canopy::topology {

struct Tree {
  std::vector<int> order;   // positions in `members`; a parent comes before its children
  std::vector<int> parent;  // by position; -1 for the root
  std::vector<std::vector<int>> children;  // by position, in the order to send
  LinkClass worst_class = LinkClass::self;
  PeerPath worst_path = PeerPath::direct;  // refused when some member cannot be reached
};

// A tree over `members` (NPU ids; one may occur more than once) that crosses bad links as rarely as
// possible, compared by path, link class and then bandwidth; among equal links it is flat enough
// that everybody has the data after log2 steps. Worse links are sent to first: they take longest.
// REQUIRES: every member in [0, machine.count()); root is a position in `members`.
Tree tree_order(const Machine& machine, std::span<const int> members, int root);

}  // namespace canopy::topology
