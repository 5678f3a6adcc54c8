// Guest: a command that runs on a fake host or on the head.
#pragma once

#include "launcher/cluster/cluster.h"
#include "runtime/base/result.h"

#include <string>
#include <vector>

namespace canopy::cluster {

struct Guest {
  std::vector<std::string> words;  // the program and its arguments
  std::string folder;              // where it starts; must be there
  // As ssh would run it: with an environment as after a login, not the caller's; ended with the
  // process that called us; and unaware of how its host ended (Cluster::go_to_host).
  bool like_ssh = false;
};

// Becomes the command on `place` (a host, or kHead), so it returns with an error only. For
// processes on the head. On the head mpirun finds in its environment how to reach the hosts, and
// everything has the rights to enter them; on a host an ordinary user has no rights but his own.
Result<> become_guest(Cluster& cluster, int place, const Guest& guest);

// A link to the canopy program without blanks in its path, through which mpirun's agent is called.
Result<> link_program(const ClusterFiles& files);

// The entries of /tmp that hosts must be shown for these absolute paths (private_mounts.h).
std::vector<std::string> entries_for(const std::vector<std::string>& paths);

}  // namespace canopy::cluster
