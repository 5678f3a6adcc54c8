// The text that `canopy topo` prints. A pure function.
#pragma once

#include "topology/discover/discover.h"
#include "topology/model/machine.h"

#include <optional>
#include <string>
#include <vector>

namespace canopy::cli {

struct TopoView {
  const topology::Machine& machine;
  std::string chosen_by;  // how the machine was chosen: "CANOPY_SOC_SPEC=dual-npu"
  std::optional<topology::HostFacts> host;  // absent when hwloc failed
  std::vector<topology::NpuPlace> places;   // by NPU; empty unless hwloc described the NPUs
};

std::string topo_table(const TopoView& view);

}  // namespace canopy::cli
