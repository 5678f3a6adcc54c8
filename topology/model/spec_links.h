// The "links" part of a spec file. A pure function.
#pragma once

#include "topology/model/machine.h"
#include "topology/model/spec_field.h"

#include <vector>

namespace canopy::topology {

// Reads how `count` NPUs are joined: first "mesh" (one class for all pairs) or "matrix" (a class
// per pair), then "groups" over it, then "pairs" over those; figures come from "classes". Gives the
// row-major matrix a Machine wants, the same in both directions.
Result<std::vector<Link>> parse_links(const SpecField& links, int count);

// The links of a machine whose file may leave them out: one NPU.
std::vector<Link> self_links(int count);

}  // namespace canopy::topology
