#include "launcher/cluster/cluster.h"

#include "launcher/cluster/host.h"
#include "launcher/cluster/namespaces.h"
#include "launcher/cluster/private_mounts.h"
#include "launcher/cluster/relay.h"

#include <cstdio>
#include <fstream>
#include <sstream>

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace canopy::cluster {
namespace {

// One line of /proc/PID/status, without its name.
std::string status_line(pid_t pid, std::string_view name) {
  std::ifstream file(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ':') {
      const size_t value = line.find_first_not_of(" \t", name.size() + 1);
      return value == std::string::npos ? "" : line.substr(value);
    }
  }
  return "";
}

}  // namespace

Result<Cluster> Cluster::open(const std::string& name) {
  CANOPY_ASSIGN(ClusterFiles files, ClusterFiles::of(name));
  CANOPY_ASSIGN(State state, files.read_state());
  Cluster cluster(std::move(files), std::move(state));
  // A host's processes see neither the machine's pids nor the head's.
  if (!cluster.is_on_head() &&
      namespace_id(cluster.state_.head, "pid") != cluster.state_.head_pid_ns) {
    return fail(
        Errc::wrong_context,
        "cluster '{}' cannot be reached from inside one of its hosts: call this on the machine "
        "or on the head",
        name);
  }
  return cluster;
}

bool Cluster::is_on_head() const { return namespace_id(getpid(), "pid") == state_.head_pid_ns; }

Result<UniqueFd> Cluster::open_head() const {
  CANOPY_ASSIGN(UniqueFd head, open_process(state_.head));
  if (!files_.is_up()) {  // asked after opening: else the pid could be somebody else's by now
    return fail(Errc::not_found, "cluster '{}' has just ended", files_.name());
  }
  return head;
}

Result<> Cluster::go_to_head() {
  if (is_on_head()) {
    return {};
  }
  CANOPY_ASSIGN(const UniqueFd head, open_head());
  const bool other_user = namespace_id(state_.head, "user") != namespace_id(getpid(), "user");
  CANOPY_TRY(join(head, host_namespaces() | (other_user ? CLONE_NEWUSER : 0)));
  prctl(PR_SET_DUMPABLE, 1);  // a new user namespace hides this process from its own user
  return go_on_as_child();
}

Result<pid_t> Cluster::first_process(int host) const {
  const pid_t pid = state_.first[static_cast<size_t>(host)];
  // The marker may come a moment after the death; that the process is a child of the head's first
  // one and the first of a namespace below is no stranger's.
  std::istringstream numbers(status_line(pid, "NSpid"));
  pid_t here = 0;
  pid_t there = 0;
  const bool is_first = numbers >> here >> there && there == 1 && status_line(pid, "PPid") == "1";
  if (files_.read(host_name(host) + ".dead") || !is_first ||
      status_line(pid, "State").starts_with('Z')) {
    return fail(Errc::peer_lost, "host {} is dead (down and up make it anew)", host_name(host));
  }
  return pid;
}

Cluster::HostState Cluster::state_of(int host) const {
  const auto pid = first_process(host);
  if (!pid) {
    return HostState::dead;
  }
  return status_line(*pid, "State").starts_with('T') ? HostState::paused : HostState::up;
}

Result<> Cluster::go_to_host(int host, bool like_ssh) {
  CANOPY_ASSIGN(const pid_t pid, first_process(host));
  if (state_of(host) == HostState::paused) {
    return fail(Errc::busy, "host {} is paused: nothing can begin on it before it is resumed",
                host_name(host));
  }
  CANOPY_ASSIGN(const UniqueFd process, open_process(pid));
  CANOPY_TRY(join(process, host_namespaces()));
  if (!like_ssh) {
    return go_on_as_child();
  }
  return go_on_as_child([this, host](int status) {
    while (files_.read(port_name(host, 0) + ".link")) {
      poll(nullptr, 0, 100);  // nobody is told of this file; a late look only delays an end
    }
    if (WIFSIGNALED(status)) {
      _exit(255);  // which is all that ssh says
    }
  });
}

Result<> Cluster::on_host(int host, const std::function<Result<>()>& body) const {
  CANOPY_ASSIGN(const pid_t pid, first_process(host));
  CANOPY_ASSIGN(const UniqueFd process, open_process(pid));
  return in_child([&]() -> Result<> {
    CANOPY_TRY(join(process, CLONE_NEWNS | CLONE_NEWNET));
    return body();
  });
}

Result<> Cluster::show_on_host(int host, const std::vector<std::string>& entries) const {
  if (entries.empty()) {
    return {};
  }
  return on_host(host, [&]() -> Result<> {
    for (const std::string& entry : entries) {
      CANOPY_TRY(show_entry(files_, entry));
    }
    return {};
  });
}

}  // namespace canopy::cluster
