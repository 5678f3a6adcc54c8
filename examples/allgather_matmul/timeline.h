// Puts the ranks' timelines into one file that Perfetto (ui.perfetto.dev) and chrome://tracing
// open.
//
// Each rank writes a JSON array of trace events through canopy_trace_write; their time stamps are
// CLOCK_MONOTONIC, which all processes of a host share, so joining the arrays is all that is
// needed.
#pragma once

#include "examples/allgather_matmul/fallible.h"

#include <string>
#include <vector>

namespace agmm {

// Where rank `pe` writes its part.
std::string timeline_part(const std::string& path, int pe);

// Joins parts 0 to n_pes - 1 into `path` and removes them. Returns the number of events. A part
// that is missing (a rank on another host) or malformed is a sentence; the parts are removed all
// the same.
Fallible<size_t> join_timeline(const std::string& path, int n_pes);

}  // namespace agmm
