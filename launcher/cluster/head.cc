#include "launcher/cluster/head.h"

#include "launcher/cluster/host.h"
#include "launcher/cluster/namespaces.h"
#include "launcher/cluster/private_mounts.h"
#include "launcher/cluster/tool.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace canopy::cluster {
namespace {

struct Hosts {
  std::vector<pid_t> first;
  std::vector<UniqueFd> reports;
};

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return fail_errno(Errc::limit, errno, "cannot make a pipe");
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<> become_head(const HeadTask& task) {
  // Another command of the same user must be able to enter; a new user namespace may have closed
  // that.
  prctl(PR_SET_DUMPABLE, 1);
  if (task.own_user_namespace) {
    CANOPY_TRY(map_ids_to_themselves(task.uid, task.gid));
  }
  CANOPY_TRY(separate_mounts());
  const std::string name = host_name(kHead);
  if (sethostname(name.c_str(), name.size()) != 0) {
    return fail_errno(Errc::not_supported, errno, "cannot name a host {}", name);
  }
  CANOPY_TRY(mount_proc_and_hosts(task.files));
  return mount_session_folder(task.files);
}

Result<> start_hosts(const HeadTask& task, Pipe& go, Hosts* hosts) {
  for (int host = 0; host < task.layout.hosts; ++host) {
    CANOPY_ASSIGN(Pipe report, make_pipe());
    CANOPY_ASSIGN(const pid_t pid, fork_into(host_namespaces()));
    if (pid == 0) {
      go.writer.reset();
      live_as_host(task.files, task.layout, host, std::move(go.reader), std::move(report.writer));
    }
    hosts->first.push_back(pid);
    hosts->reports.push_back(std::move(report.reader));
  }
  return {};
}

// Switches, and one cable per host and rail.
Result<> build_network(const Layout& layout, const std::vector<pid_t>& first) {
  std::string commands = "link set lo up\n";
  for (int rail = 0; rail < layout.rails; ++rail) {
    const std::string bridge = rail_name(rail);
    commands += fmt::format("link add {0} type bridge\naddr add {1}/16 dev {0}\nlink set {0} up\n",
                            bridge, rail_address(kHead, rail));
    for (int host = 0; host < layout.hosts; ++host) {
      commands += fmt::format(
          "link add {0} type veth peer name {1} netns {2}\nlink set {0} master {1} up\n",
          port_name(host, rail), bridge, first[static_cast<size_t>(host)]);
    }
  }
  if (auto said = run_tool({"ip", "-batch", "-"}, commands); !said) {
    return tl::unexpected(said.error());
  }
  return {};
}

Result<> await_hosts(const Hosts& hosts) {
  for (size_t host = 0; host < hosts.reports.size(); ++host) {
    const std::string report = read_to_end(hosts.reports[host]);
    if (report != kReady) {
      return fail(Errc::not_supported, "{}: {}", host_name(static_cast<int>(host)),
                  report.empty() ? "ended while it was made" : report);
    }
  }
  return {};
}

Result<> make_cluster(const HeadTask& task, Hosts* hosts) {
  CANOPY_TRY(become_head(task));
  CANOPY_ASSIGN(Pipe go, make_pipe());
  CANOPY_TRY(start_hosts(task, go, hosts));
  CANOPY_TRY(build_network(task.layout, hosts->first));
  go.writer.reset();
  return await_hosts(*hosts);
}

void reap(const ClusterFiles& files, const std::vector<pid_t>& first) {
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    const auto host = std::find(first.begin(), first.end(), pid);
    if (host != first.end()) {
      // Said in a file, because pids are used again: commands must not take a stranger for the
      // host.
      const std::string leaf = host_name(static_cast<int>(host - first.begin())) + ".dead";
      if (!files.write(leaf, fmt::format("{}", status))) {
        return;  // the cluster's folder is gone: a `down` is on its way
      }
    }
  }
}

[[noreturn]] void end_cluster(const ClusterFiles& files) {
  unmount_session_folder(files);
  (void)files.remove_all();  // nobody is left to hear of it; the next `up` or `down` tries again
  _exit(0);
}

}  // namespace

std::vector<pid_t> parse_first_processes(std::string_view text) {
  std::vector<pid_t> pids;
  for (const char *at = text.data(), *last = at + text.size(); at < last;) {
    pid_t pid = 0;
    const auto [end, err] = std::from_chars(at, last, pid);
    if (err == std::errc()) {
      pids.push_back(pid);
    }
    at = end + 1;
  }
  return pids;
}

void live_as_head(HeadTask task) {
  prctl(PR_SET_NAME, "canopy-head");
  setsid();  // no terminal's Ctrl-C or hang-up is for the cluster
  (void)!chdir("/");
  sigset_t handled;
  sigemptyset(&handled);
  sigaddset(&handled, SIGCHLD);
  sigaddset(&handled, SIGTERM);
  Hosts hosts;
  const Result<> made = make_cluster(task, &hosts);
  send_report(task.up, made);
  if (!made) {
    _exit(1);
  }
  const std::string pids = fmt::format(" {}", fmt::join(hosts.first, " "));
  (void)!write(task.up.get(), pids.data(), pids.size());
  shutdown(task.up.get(), SHUT_WR);
  if (read_to_end(task.up).empty()) {
    end_cluster(task.files);  // `up` was killed
  }
  task.up.reset();
  hosts.reports.clear();

  sigprocmask(SIG_BLOCK, &handled, nullptr);
  const UniqueFd signals(signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  std::vector<int> kept = {task.lock.get(), signals.get()};
  if (task.owner) {
    kept.push_back(task.owner.get());
  }
  detach_from_caller(kept);
  for (;;) {
    reap(task.files, hosts.first);
    pollfd events[2] = {{signals.get(), POLLIN, 0}, {task.owner.get(), POLLIN, 0}};
    poll(events, 2, -1);  // a descriptor of -1 is ignored
    signalfd_siginfo signal{};
    while (read(signals.get(), &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo == SIGTERM) {
        end_cluster(task.files);
      }
    }
    if (events[1].revents != 0) {
      end_cluster(task.files);
    }
  }
}

}  // namespace canopy::cluster
