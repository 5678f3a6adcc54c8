#include "launcher/cluster/namespaces.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace canopy::cluster {
namespace {

// What `ip`, `tc`, `nft` and `canopy cluster agent` need after an exec by an ordinary user.
constexpr int kRightsOverExec[] = {CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_SYS_PTRACE};

struct Capabilities {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct words[2] = {};

  bool read() { return syscall(SYS_capget, &header, words) == 0; }
  bool write() { return syscall(SYS_capset, &header, words) == 0; }
};

Result<> write_file(const char* path, const std::string& text) {
  UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  if (!file || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail_errno(Errc::not_supported, errno, "cannot write {}", path);
  }
  return {};
}

std::string why_not(int err) {
  switch (err) {
    case EPERM:
      return "not permitted: this takes root with CAP_SYS_ADMIN, or user namespaces for ordinary "
             "users "
             "(sysctl kernel.unprivileged_userns_clone=1, and no AppArmor rule or container in the "
             "way)";
    case ENOSPC:
      return "the limit of namespaces is reached (sysctl user.max_user_namespaces, "
             "user.max_net_namespaces)";
    case ENOSYS:
    case EINVAL:
      return "the kernel, or the container this runs in, does not offer it";
    default:
      return std::strerror(err);
  }
}

}  // namespace

uint64_t host_namespaces() {
  return CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID;
}

bool needs_user_namespace() {
  Capabilities own;
  return !own.read() || (own.words[0].effective & (1U << CAP_SYS_ADMIN)) == 0;
}

Result<pid_t> fork_into(uint64_t namespaces) {
  std::fflush(nullptr);  // or both processes would print what is buffered
  clone_args args{};
  args.flags = namespaces;
  args.exit_signal = SIGCHLD;
  const long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) {
    const int err = errno;
    return fail_errno(Errc::not_supported, err, "cannot make namespaces for fake hosts: {}",
                      why_not(err));
  }
  return static_cast<pid_t>(pid);
}

Result<> map_ids_to_themselves(uid_t uid, gid_t gid) {
  // Without "deny" an ordinary user may not map a group: dropping groups could widen his rights.
  CANOPY_TRY(write_file("/proc/self/setgroups", "deny"));
  CANOPY_TRY(write_file("/proc/self/uid_map", fmt::format("{0} {0} 1\n", uid)));
  return write_file("/proc/self/gid_map", fmt::format("{0} {0} 1\n", gid));
}

Result<> join(const UniqueFd& pidfd, uint64_t namespaces) {
  // One call, so that the rights of a user namespace count for the others.
  if (setns(pidfd.get(), static_cast<int>(namespaces)) != 0) {
    return fail_errno(errno == ESRCH ? Errc::not_found : Errc::no_permission, errno,
                      "cannot enter the namespaces of a fake host");
  }
  return {};
}

Result<UniqueFd> open_process(pid_t pid) {
  UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) {
    return fail_errno(Errc::not_found, errno, "no process {}", pid);
  }
  return fd;
}

uint64_t namespace_id(pid_t pid, std::string_view kind) {
  struct stat status {};
  const std::string path = fmt::format("/proc/{}/ns/{}", pid, kind);
  return stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

void keep_rights_over_exec() {
  Capabilities own;
  if (!own.read()) {
    return;  // then the tools say what they are not permitted
  }
  for (int right : kRightsOverExec) {
    own.words[right / 32].inheritable |= own.words[right / 32].permitted & (1U << (right % 32));
  }
  if (own.write()) {
    for (int right : kRightsOverExec) {
      prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, right, 0, 0);
    }
  }
}

void drop_rights_at_exec() {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  Capabilities own;
  if (own.read()) {
    own.words[0].inheritable = own.words[1].inheritable = 0;
    own.write();
  }
}

Result<> in_child(const std::function<Result<>()>& body) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return fail_errno(Errc::limit, errno, "cannot make a pipe");
  }
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) {
    return fail_errno(Errc::limit, errno, "cannot fork");
  }
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Result<> result = body();
    if (result) {
      _exit(0);
    }
    const std::string sentence = error_text::newest();
    // One write: sentences are far shorter than a pipe's buffer. The code alone tells the failure.
    (void)!write(writer.get(), sentence.data(), sentence.size());
    _exit(1 + static_cast<int>(result.error().code));
  }
  writer.reset();
  std::string sentence;
  char part[1024];
  for (ssize_t n = 0;
       (n = read(reader.get(), part, sizeof part)) > 0 || (n < 0 && errno == EINTR);) {
    sentence.append(part, n > 0 ? static_cast<size_t>(n) : 0);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return {};
  }
  if (!WIFEXITED(status)) {
    return fail(Errc::internal, "a helper process was killed by signal {}", WTERMSIG(status));
  }
  return fail(static_cast<Errc>(WEXITSTATUS(status) - 1), "{}", sentence);
}

}  // namespace canopy::cluster
