// run_tool(): runs one of the system's own tools (ip, tc, nft) and says what it said.
#pragma once

#include "runtime/base/result.h"

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace canopy::cluster {

// Runs `words` with `input` on its stdin, in the network of process `network_of` (0: this
// process's), with the rights of this process. Returns its stdout. Searched in PATH and then in the
// folders of administrators' tools, which ordinary users have not in their PATH.
//
// Errc::not_supported: it is not installed (names the Debian package). Errc::io: it failed; the
// sentence holds the command and the first line it said.
Result<std::string> run_tool(const std::vector<std::string>& words, std::string_view input = "",
                             pid_t network_of = 0);

}  // namespace canopy::cluster
