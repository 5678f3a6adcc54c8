#include "launcher/cluster/host.h"

#include "launcher/cluster/private_mounts.h"
#include "launcher/cluster/tool.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace canopy::cluster {
namespace {

Result<> own_name_and_files(const ClusterFiles& files, int host) {
  CANOPY_TRY(separate_mounts());
  const std::string name = host_name(host);
  if (sethostname(name.c_str(), name.size()) != 0) {
    return fail_errno(Errc::not_supported, errno, "cannot name a host {}", name);
  }
  CANOPY_TRY(mount_private_folders(files));
  return mount_proc_and_hosts(files);
}

Result<> own_network(const Layout& layout, int host) {
  std::string commands = "link set lo up\n";
  for (int rail = 0; rail < layout.rails; ++rail) {
    commands += fmt::format("addr add {}/16 dev {}\nlink set {} up\n", rail_address(host, rail),
                            rail_name(rail), rail_name(rail));
  }
  if (auto said = run_tool({"ip", "-batch", "-"}, commands); !said) {
    return tl::unexpected(said.error());
  }
  return {};
}

}  // namespace

void send_report(const UniqueFd& report, const Result<>& result) {
  const std::string text = result ? std::string(kReady) : error_text::newest();
  (void)!write(report.get(), text.data(), text.size());  // a reader that is gone needs no report
}

std::string read_to_end(const UniqueFd& pipe) {
  std::string text;
  char part[1024];
  for (ssize_t n = 0; (n = read(pipe.get(), part, sizeof part)) > 0 || (n < 0 && errno == EINTR);) {
    text.append(part, n > 0 ? static_cast<size_t>(n) : 0);
  }
  return text;
}

void detach_from_caller(std::vector<int> kept) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) {
    dup2(null, fd);
  }
  std::sort(kept.begin(), kept.end());
  unsigned first = 3;
  for (int fd : kept) {
    if (static_cast<unsigned>(fd) > first) {
      close_range(first, static_cast<unsigned>(fd) - 1, 0);
    }
    first = std::max(first, static_cast<unsigned>(fd) + 1);
  }
  close_range(first, ~0U, 0);
}

void live_as_host(const ClusterFiles& files, const Layout& layout, int host, UniqueFd go,
                  UniqueFd report) {
  prctl(PR_SET_NAME, fmt::format("canopy-{}", host_name(host)).c_str());
  Result<> made = own_name_and_files(files, host);
  if (made) {
    read_to_end(go);
    made = own_network(layout, host);
  }
  send_report(report, made);
  if (!made) {
    _exit(1);
  }
  detach_from_caller({});
  // A first process gets only the signals it handles: with SIGCHLD blocked and waited for, nothing
  // on the host can end it.
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, nullptr);
  for (;;) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    sigwaitinfo(&children, nullptr);
  }
}

}  // namespace canopy::cluster
