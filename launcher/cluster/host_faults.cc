// Faults of hosts: kill, pause, resume. By signals to the processes of the host's pid namespace.
#include "launcher/cluster/faults.h"
#include "launcher/cluster/namespaces.h"
#include "runtime/base/clock.h"

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <vector>

#include <poll.h>
#include <sched.h>
#include <signal.h>

namespace canopy::cluster {
namespace {
namespace fs = std::filesystem;

constexpr uint64_t kMaxStopNs = 5'000'000'000;

// The letter of /proc/PID/stat; 0 when the process is gone. The name before it may hold anything
// but ends with the last ')'.
char state_letter(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const size_t end = line.rfind(')');
  return end == std::string::npos || end + 2 >= line.size() ? '\0' : line[end + 2];
}

// The processes of a host, by the numbers of the head.
std::vector<pid_t> processes_in(uint64_t pid_namespace) {
  std::vector<pid_t> pids;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", none)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, err] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (err == std::errc() && end == name.data() + name.size() &&
        namespace_id(pid, "pid") == pid_namespace) {
      pids.push_back(pid);
    }
  }
  return pids;
}

bool is_at_rest(char state) {
  return state == 'T' || state == 'Z' || state == 'X' || state == '\0';
}

// Sends SIGSTOP to what still runs; returns one such process, or 0 when all have stopped.
pid_t stop_running(uint64_t pid_namespace) {
  pid_t running = 0;
  for (pid_t pid : processes_in(pid_namespace)) {
    if (!is_at_rest(state_letter(pid))) {
      running = pid;
      kill(pid, SIGSTOP);
    }
  }
  return running;
}

}  // namespace

Result<> kill_host(const Cluster& cluster, int host, bool keep_links) {
  CANOPY_ASSIGN(const pid_t pid, cluster.first_process(host));
  for (int rail = 0; rail < cluster.layout().rails && !keep_links; ++rail) {
    CANOPY_TRY(set_link(cluster, host, rail, false));
  }
  CANOPY_ASSIGN(const UniqueFd first, open_process(pid));
  if (kill(pid, SIGKILL) != 0 && errno != ESRCH) {
    return fail_errno(Errc::no_permission, errno, "cannot kill host {} (process {})",
                      host_name(host), pid);
  }
  pollfd gone{first.get(), POLLIN, 0};
  while (poll(&gone, 1, -1) < 0 && errno == EINTR) {
  }
  return {};
}

Result<> pause_host(const Cluster& cluster, int host) {
  CANOPY_ASSIGN(const pid_t first, cluster.first_process(host));
  const uint64_t pid_namespace = namespace_id(first, "pid");
  const uint64_t give_up_at = monotonic_ns() + kMaxStopNs;
  // Again until nothing runs: what was not stopped yet may have forked meanwhile.
  for (pid_t running = 0; (running = stop_running(pid_namespace)) != 0; sched_yield()) {
    if (monotonic_ns() > give_up_at) {
      return fail(Errc::timeout, "host {}: process {} does not stop (state {})", host_name(host),
                  running, state_letter(running));
    }
  }
  return {};
}

Result<> resume_host(const Cluster& cluster, int host) {
  CANOPY_ASSIGN(const pid_t first, cluster.first_process(host));
  for (pid_t pid : processes_in(namespace_id(first, "pid"))) {
    kill(pid, SIGCONT);
  }
  return {};
}

}  // namespace canopy::cluster
