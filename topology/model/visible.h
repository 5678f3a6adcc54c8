// The part of a machine that a process sees: ASCEND_RT_VISIBLE_DEVICES names NPUs by the ids that
// the whole machine gives them (their logical ids), and the process numbers them from 0 in that
// order. Pure functions.
#pragma once

#include "topology/model/machine.h"

#include <string_view>
#include <vector>

namespace canopy::topology {

// The ids in `list`, "3,0,1": decimal numbers below `count`, no blanks, none twice. It ends before
// the first entry that is not one.
std::vector<int> parse_visible(std::string_view list, int count);

// The NPUs of `ids` in this order, numbered anew, with the links between them.
// REQUIRES: ids as parse_visible() gives them.
Machine visible_part(const Machine& machine, const std::vector<int>& ids);

}  // namespace canopy::topology
