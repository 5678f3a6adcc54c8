// The picture that `canopy trace --svg FILE` writes. A pure function.
#pragma once

#include "launcher/cli/trace_file.h"

#include <string>
#include <vector>

namespace canopy::cli {

struct TracePanel {
  std::string title;
  TraceWindow window;
};

// One panel under the other, all on one scale: a group of lanes per process, a lane per track that
// has spans in the window, a rectangle per span (inner ones inset), a colour per name. Spans too
// narrow to be seen are joined with their neighbours of the same name.
std::string trace_svg(const TraceFile& trace, const std::vector<TracePanel>& panels);

}  // namespace canopy::cli
