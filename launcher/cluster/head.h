// The head: the first process of a cluster, and the place where mpirun runs.
//
// It owns the cluster: it is the first process of the head's pid namespace, and the hosts' pid
// namespaces lie below that. So when it ends, by whatever cause, the kernel ends every process of
// every host and of the head, and with them all namespaces and interfaces. Nothing has to be found
// and killed one by one.
//
// The head sees the machine's /tmp (host files, programs) and is on every rail.
#pragma once

#include "launcher/cluster/cluster_files.h"
#include "launcher/cluster/layout.h"
#include "runtime/base/unique_fd.h"

#include <vector>

#include <sys/types.h>

namespace canopy::cluster {

struct HeadTask {
  ClusterFiles files;
  Layout layout;
  uid_t uid;
  gid_t gid;
  bool own_user_namespace;
  UniqueFd lock;   // held until the end
  UniqueFd up;     // a socket to the process that makes the cluster
  UniqueFd owner;  // a pidfd: the cluster ends with this process; none: it stays until `down`
};

// Never returns. Tells `up` kReady and the hosts' first processes, or an error sentence; goes on
// only when `up` answers.
[[noreturn]] void live_as_head(HeadTask task);

// What live_as_head sends after kReady, taken apart.
std::vector<pid_t> parse_first_processes(std::string_view text);

}  // namespace canopy::cluster
