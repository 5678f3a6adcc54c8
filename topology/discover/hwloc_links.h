// How the NPUs that hwloc found are joined. Pure functions of a loaded tree.
#pragma once

#include "topology/discover/hwloc_tree.h"
#include "topology/model/machine.h"

#include <vector>

namespace canopy::topology {

// The row-major link matrix over `npus`. A pair with a bandwidth in both directions in the matrix
// "HCCSBandwidth" is class hccs with the smaller of the two figures (and the larger of the
// latencies in "HCCSLatency"); any other pair gets the class of what it shares on PCI.
std::vector<Link> hwloc_links(const HwlocTree& tree, const std::vector<hwloc_obj_t>& npus);

}  // namespace canopy::topology
