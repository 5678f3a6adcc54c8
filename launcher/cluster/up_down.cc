// bring_up() and take_down(): the beginning and the end of a cluster.
#include "launcher/cluster/cluster.h"
#include "launcher/cluster/guest.h"
#include "launcher/cluster/head.h"
#include "launcher/cluster/host.h"
#include "launcher/cluster/namespaces.h"
#include "launcher/cluster/private_mounts.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <thread>

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace canopy::cluster {
namespace {

// What is there before the first process of the head starts.
Result<> write_files(const ClusterFiles& files, const Layout& layout) {
  std::ifstream machine("/etc/hosts");
  const std::string lines(std::istreambuf_iterator<char>(machine), {});
  CANOPY_TRY(files.write("hosts", hosts_file(layout, lines)));
  // mpirun would count this machine's cores for each host; so do we.
  const int slots = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  CANOPY_TRY(files.write("hostfile", mpirun_hostfile(layout, slots)));
  CANOPY_TRY(link_program(files));
  return prepare_private_folders(files);
}

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

Result<SocketPair> make_socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_errno(Errc::limit, errno, "cannot make a pair of sockets");
  }
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The head's report; when it is an error, the head has ended or is about to.
Result<std::vector<pid_t>> await_head(const UniqueFd& socket, const Layout& layout) {
  const std::string report = read_to_end(socket);
  if (!report.starts_with(kReady)) {
    return fail(Errc::not_supported, "{}",
                report.empty() ? "the head ended while it was made" : report);
  }
  std::vector<pid_t> first = parse_first_processes(report.substr(kReady.size() + 1));
  if (first.size() != static_cast<size_t>(layout.hosts)) {
    return fail(Errc::internal, "the head made {} hosts of {}", first.size(), layout.hosts);
  }
  return first;
}

Result<> run_up(const UpOptions& options, const ClusterFiles& files, UniqueFd lock,
                UniqueFd owner) {
  CANOPY_TRY(write_files(files, options.layout));
  CANOPY_ASSIGN(SocketPair sockets, make_socket_pair());
  const bool own_user_namespace = needs_user_namespace();
  const uid_t uid = geteuid();  // the child's are unknown until they are mapped
  const gid_t gid = getegid();
  CANOPY_ASSIGN(const pid_t head,
                fork_into(host_namespaces() | (own_user_namespace ? CLONE_NEWUSER : 0)));
  if (head == 0) {
    sockets.ours.reset();
    live_as_head(HeadTask{files, options.layout, uid, gid, own_user_namespace, std::move(lock),
                          std::move(sockets.theirs), std::move(owner)});
  }
  sockets.theirs.reset();
  auto first = await_head(sockets.ours, options.layout);
  if (!first) {
    waitpid(head, nullptr, 0);
    return tl::unexpected(first.error());
  }
  CANOPY_TRY(
      files.write_state({options.layout, head, namespace_id(head, "pid"), std::move(*first)}));
  if (write(sockets.ours.get(), "!", 1) != 1) {
    return fail_errno(Errc::io, errno, "the head of cluster '{}' has ended", files.name());
  }
  return {};
}

}  // namespace

Result<> bring_up(const UpOptions& options) {
  CANOPY_TRY(check(options.layout));
  CANOPY_ASSIGN(const ClusterFiles files, ClusterFiles::of(options.name));
  UniqueFd owner;
  if (options.while_pid != 0) {
    CANOPY_ASSIGN(owner, open_process(options.while_pid));
  }
  CANOPY_ASSIGN(UniqueFd lock, files.claim());
  Result<> done = run_up(options, files, std::move(lock), std::move(owner));
  if (!done) {
    (void)files.remove_all();  // the first error is the one to be told
  }
  return done;
}

Result<> take_down(const std::string& name) {
  CANOPY_ASSIGN(const ClusterFiles files, ClusterFiles::of(name));
  const auto state = files.read_state();
  if (!state && files.is_up()) {
    return tl::unexpected(state.error());  // being made, or damaged: nothing says whom to end
  }
  if (!state) {
    const std::string sentence = error_text::newest();
    CANOPY_TRY(files.remove_all());
    return fail(Errc::not_found, "{}", sentence);
  }
  if (namespace_id(state->head, "pid") != state->head_pid_ns) {
    return fail(Errc::wrong_context,
                "cluster '{}' can be taken down from the machine only, not from "
                "inside it",
                name);
  }
  CANOPY_ASSIGN(const UniqueFd head, open_process(state->head));
  if (files.is_up() && syscall(SYS_pidfd_send_signal, head.get(), SIGKILL, nullptr, 0) != 0 &&
      errno != ESRCH) {
    return fail_errno(Errc::no_permission, errno, "cannot end cluster '{}' (process {})", name,
                      state->head);
  }
  // The first process of a pid namespace is gone only when all others in it are.
  pollfd gone{head.get(), POLLIN, 0};
  while (poll(&gone, 1, -1) < 0 && errno == EINTR) {
  }
  return files.remove_all();
}

}  // namespace canopy::cluster
