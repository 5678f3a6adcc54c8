// Front: the debug mode's hook. A Hot stands in front of the true one, which differs in one thing: no PE
// has bytes within reach. So the one compare of the hot path (world/hot.h) fails for every operation, and
// sends it to the cold side (rma/far_ops), which finds the Hot behind, has the operation checked
// (debug/guard.h), and then does it by that one. Outside the debug mode nothing is different.
#pragma once

#include "shmem/world/hot.h"

#include <vector>

namespace canopy::shmem {

class Front {
 public:
  // Refers to `behind` and to this; again after `behind` has changed.
  Hot of(const Hot& behind) {
    closed_.assign(behind.peers, behind.peers + behind.n_pes);
    for (PeerEntry& entry : closed_) {
      entry.bytes = 0;
    }
    Hot front = behind;
    front.peers = closed_.data();
    front.behind = &behind;
    return front;
  }

 private:
  std::vector<PeerEntry> closed_;
};

}  // namespace canopy::shmem
