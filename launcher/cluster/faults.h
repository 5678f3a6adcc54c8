// Faults: what can happen to hosts and links, done to a fake one. Each takes effect before it
// returns.
//
// For processes on the head (Cluster::go_to_head). A rail of a host is its cable to that rail's
// switch: what is done to it concerns the traffic of that host only. Errc::peer_lost: the host is
// dead.
#pragma once

#include "launcher/cluster/cluster.h"
#include "runtime/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace canopy::cluster {

// Pulls the cable out at the switch, or puts it back. The host sees its interface lose the carrier;
// nobody is told that connections are broken.
Result<> set_link(const Cluster& cluster, int host, int rail, bool up);

// Limits both directions; nothing lifts the limit.
struct Rate {
  uint64_t bits_per_s;
  std::string text;  // as it was given
};
// "400mbit", "1.5gbit", "800kbit", "5000bit".
Result<Rate> parse_rate(std::string_view text);
Result<> set_rate(const Cluster& cluster, int host, int rail, const std::optional<Rate>& rate);

// Drops packets of both directions at random; nothing ends it. A "packet" is what the cable carries
// at once, up to 64 KiB of a TCP stream, since no wire divides it.
struct Loss {
  unsigned per_million;
  std::string text;
};
// "1", "0.5", "100", with or without '%'; nothing for "0".
Result<std::optional<Loss>> parse_loss(std::string_view text);
Result<> set_loss(const Cluster& cluster, int host, int rail, const std::optional<Loss>& loss);

// Power loss: the cables go silent first, then every process dies. With `keep_links` the dying
// kernel still closes its TCP connections, as in a crash of all programs.
Result<> kill_host(const Cluster& cluster, int host, bool keep_links);

// Stops every process of the host where it is, and lets them go on. The host's network stack goes
// on answering, as that of a machine that swaps itself to death.
Result<> pause_host(const Cluster& cluster, int host);
Result<> resume_host(const Cluster& cluster, int host);

// For `status`: "link down, rate 400mbit, loss 2 %"; "" when nothing is wrong with it.
std::string faults_of(const Cluster& cluster, int host, int rail);

}  // namespace canopy::cluster
