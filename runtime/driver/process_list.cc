#include "runtime/driver/process_list.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5; the same number everywhere but on parisc and sparc
#endif

namespace canopy {
namespace {

constexpr long kPidFileSystem = 0x50494446;  // PID_FS_MAGIC: before it, all pidfds have one inode
constexpr uint64_t kNobody = ~uint64_t{0};   // of a pid that no process has

uint64_t identity_behind(const UniqueFd& pidfd) {
  struct statfs system {};
  struct stat file {};
  const bool named = pidfd && ::fstatfs(pidfd.get(), &system) == 0 && system.f_type == kPidFileSystem &&
                     ::fstat(pidfd.get(), &file) == 0;
  return named ? file.st_ino : 0;
}

UniqueFd peer_of(const UniqueFd& socket) {
  int raw = -1;
  socklen_t bytes = sizeof raw;
  return UniqueFd(::getsockopt(socket.get(), SOL_SOCKET, SO_PEERPIDFD, &raw, &bytes) == 0 ? raw : -1);
}

UniqueFd process_at(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

// Why pidfd_open() failed: no process has the number; EINVAL, ENOENT: a thread has it.
bool names_nobody(int err) { return err == ESRCH || err == EINVAL || err == ENOENT; }

// Whether this kernel names processes from both sides, and lets us ask: one name alone could not be compared.
bool processes_have_names() {
  enum : int { kUnknown, kNamed, kNameless };
  static std::atomic<int> answer{kUnknown};  // relaxed: a number, and always the same one
  if (const int known = answer.load(std::memory_order_relaxed); known != kUnknown) {
    return known == kNamed;
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return true;  // no descriptor left: nothing is learnt
  }
  const UniqueFd one(ends[0]), other(ends[1]);
  const UniqueFd own = process_at(::getpid());
  if (!own && (errno == EMFILE || errno == ENFILE)) {
    return true;
  }
  const bool named = identity_behind(own) != 0 && identity_behind(own) == identity_behind(peer_of(one));
  answer.store(named ? kNamed : kNameless, std::memory_order_relaxed);
  return named;
}

}  // namespace

uint64_t process_identity(pid_t pid) {
  if (!processes_have_names()) {
    return 0;
  }
  const UniqueFd process = process_at(pid);
  if (!process && names_nobody(errno)) {
    return kNobody;
  }
  return identity_behind(process);
}

uint64_t peer_identity(const UniqueFd& socket) {
  return processes_have_names() ? identity_behind(peer_of(socket)) : 0;
}

UniqueFd end_of_process(const ProcessList::Entry& process) {
  UniqueFd found = process_at(process.pid);
  if ((!found && names_nobody(errno)) || (found && process.identity != 0 && identity_behind(found) != process.identity)) {
    found.reset();
    errno = ESRCH;
  }
  return found;
}

ProcessList::ProcessList(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) {
    entries_.push_back({pid, process_identity(pid)});
  }
}

bool ProcessList::add(const Entry& process) {
  if (std::find(entries_.begin(), entries_.end(), process) != entries_.end()) {
    return false;
  }
  entries_.push_back(process);
  return true;
}

bool ProcessList::has(pid_t pid, uint64_t identity) const {
  return pid != 0 && std::any_of(entries_.begin(), entries_.end(), [&](const Entry& each) {
           return each.pid == pid && (each.identity == 0 || each.identity == identity);
         });
}

}  // namespace canopy
