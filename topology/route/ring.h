// The order in which NPUs pass data round a ring. A pure function, thread-safe.
#pragma once

#include "topology/model/machine.h"

#include <span>
#include <vector>

namespace canopy::topology {

struct Ring {
  // Positions in `members`, starting with 0; the last one's successor is the first.
  std::vector<int> order;
  // The worst link of the ring: refused when some neighbours cannot reach each other.
  LinkClass worst_class = LinkClass::self;
  PeerPath worst_path = PeerPath::direct;
};

// A ring over `members` (NPU ids; an id may occur more than once: PEs that share an NPU) that uses
// as few bad links as possible, compared by path, link class and then bandwidth. Optimal for up to
// 8 members; above, a good one found by local search. The same input gives the same ring
// everywhere. REQUIRES: every member in [0, machine.count()).
Ring ring_order(const Machine& machine, std::span<const int> members);

}  // namespace canopy::topology
