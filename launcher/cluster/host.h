// The first process of a fake host: makes the host what it is, then reaps orphans until it is
// killed.
#pragma once

#include "launcher/cluster/cluster_files.h"
#include "launcher/cluster/layout.h"
#include "runtime/base/unique_fd.h"

#include <functional>
#include <string>
#include <vector>

namespace canopy::cluster {

// The word that a first process sends when all is made; anything else is its error sentence.
inline constexpr std::string_view kReady = "ready";

// Never returns. `go` reaches its end when the switch ends of this host's cables are there; kReady
// or a sentence is written to `report`. Ends by a signal only: the host lives as long as this
// process.
[[noreturn]] void live_as_host(const ClusterFiles& files, const Layout& layout, int host,
                               UniqueFd go, UniqueFd report);

// Sends the result of making a host or the head.
void send_report(const UniqueFd& report, const Result<>& result);
// Reads until the other side closes.
std::string read_to_end(const UniqueFd& pipe);
// Lets go of the terminal and of every descriptor but `kept`: an inherited pipe would stay open,
// and its reader would wait, for as long as the cluster lives.
void detach_from_caller(std::vector<int> kept);

}  // namespace canopy::cluster
