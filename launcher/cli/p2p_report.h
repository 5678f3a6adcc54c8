// What `canopy bench p2p` prints. Pure functions.
#pragma once

#include "launcher/cli/p2p_bench.h"

#include <string>

namespace canopy::cli {

// Matrices, the source in the row: links, then rates per size, then latencies.
std::string p2p_table(const P2pMatrix& matrix);
// The same as one JSON object (README.md has its fields).
std::string p2p_json(const P2pMatrix& matrix);

}  // namespace canopy::cli
