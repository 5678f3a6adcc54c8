// The picture that `canopy topo --svg FILE` writes. A pure function.
#pragma once

#include "topology/model/machine.h"

#include <string>

namespace canopy::cli {

// NPUs on a circle, links as lines: colour by class, dashed when staged, absent when refused.
std::string topo_svg(const topology::Machine& machine);

}  // namespace canopy::cli
