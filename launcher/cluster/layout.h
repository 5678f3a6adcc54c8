// Layout: the names and addresses of a cluster of fake hosts, all computed from two numbers.
//
//   machine
//     head (namespaces of its own: network, host name, mounts, pids)    10.80.0.1
//       rail0, rail1 ...   one bridge per rail: a switch
//         h0.0, h1.0 ...   switch ports, one per host and rail
//       h0 (namespaces of its own, pids below the head's)               10.80.0.10
//         rail0, rail1 ... the host's interfaces, the other ends of its ports' cables
//       h1 ...                                                          10.80.0.11
//
// Rail R is 10.(80+R).0.0/16. Several clusters may use the same addresses: nothing joins them.
// Pure functions, no state.
#pragma once

#include "runtime/base/result.h"

#include <string>
#include <string_view>

namespace canopy::cluster {

// A /16 holds more, but a bridge has at most 1023 ports, and processes are the real limit.
inline constexpr int kMaxHosts = 1000;
inline constexpr int kMaxRails = 8;
// Covers every rail: 10.80.0.0 to 10.87.255.255.
inline constexpr std::string_view kAllRails = "10.80.0.0/13";
inline constexpr std::string_view kFirstRail = "10.80.0.0/16";
// Where a command runs: a host's number, or this.
inline constexpr int kHead = -1;

struct Layout {
  int hosts = 0;
  int rails = 1;
};

// Errc::out_of_range with the limits.
Result<> check(const Layout& layout);

std::string host_name(int host);               // "h3"; "head" for kHead
std::string rail_name(int rail);               // "rail0", on hosts and as the bridge
std::string port_name(int host, int rail);     // "h3.0"
std::string rail_address(int host, int rail);  // "10.80.0.13"

// "h3" or "head"; Errc::not_found names the hosts there are.
Result<int> parse_place(const Layout& layout, std::string_view text);
// The same for what only a host can be.
Result<int> parse_host(const Layout& layout, std::string_view text);
Result<> check_rail(const Layout& layout, int rail);

// /etc/hosts of every host: localhost, head and hosts, then `machine`, the lines of the machine's
// own.
std::string hosts_file(const Layout& layout, std::string_view machine);
// For mpirun: every host with `slots` slots.
std::string mpirun_hostfile(const Layout& layout, int slots);

}  // namespace canopy::cluster
