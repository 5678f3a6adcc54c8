// Cluster: hosts made of namespaces on one machine, for trying what needs several (README.md).
//
// bring_up() and take_down() make and end one. Everything else opens it by name, goes to its head,
// and works from there, where all hosts' processes and the switches can be reached:
//
//   CANOPY_ASSIGN(Cluster cluster, Cluster::open("default"));
//   CANOPY_TRY(cluster.go_to_head());          // from here on this is a process on the head
//   CANOPY_TRY(set_link(cluster, 1, 0, false));
//
// For programs of one thread, such as the command line tool: processes are forked and moved.
#pragma once

#include "launcher/cluster/cluster_files.h"
#include "launcher/cluster/layout.h"
#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"

#include <functional>
#include <string>

namespace canopy::cluster {

struct UpOptions {
  std::string name;
  Layout layout;
  pid_t while_pid = 0;  // the cluster ends with this process; 0: it stays until take_down()
};

// Returns when all hosts are there. Errc::busy: it is up already. Errc::not_supported: this machine
// cannot make fake hosts, and why.
Result<> bring_up(const UpOptions& options);

// Ends it: every process on it, its namespaces and interfaces, its files. Errc::not_found when it
// is not up; what a killed one left behind is cleared away nevertheless.
Result<> take_down(const std::string& name);

class Cluster {
 public:
  // Errc::not_found: not up. Errc::wrong_context: called on a host of the cluster, from where
  // neither the head nor other hosts can be reached.
  static Result<Cluster> open(const std::string& name);

  const ClusterFiles& files() const { return files_; }
  const Layout& layout() const { return state_.layout; }

  // Goes on as a process on the head; nothing happens there already. See relay.h for who stays
  // behind.
  Result<> go_to_head();

  // The rest is for processes on the head.

  // Goes on as a process on `host`. Errc::peer_lost: the host is dead. Errc::busy: it is paused,
  // and nothing can begin on it. With `like_ssh` the process that stays behind learns of the end as
  // an ssh client would: not while the cable is pulled, and so never of a host that lost its power.
  Result<> go_to_host(int host, bool like_ssh = false);
  // Runs `body` on the host's mounts and network, as one of the head's processes.
  Result<> on_host(int host, const std::function<Result<>()>& body) const;
  // Shows these entries of /tmp (see private_mounts.h) on a host.
  Result<> show_on_host(int host, const std::vector<std::string>& entries) const;

  enum class HostState { up, paused, dead };
  HostState state_of(int host) const;
  // Errc::peer_lost: the host is dead.
  Result<pid_t> first_process(int host) const;

 private:
  Cluster(ClusterFiles files, State state) : files_(std::move(files)), state_(std::move(state)) {}
  bool is_on_head() const;
  Result<UniqueFd> open_head() const;

  ClusterFiles files_;
  State state_;
};

}  // namespace canopy::cluster
