#include "runtime/driver/same_user.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace canopy {
namespace {

// Read once: who has run out of descriptors cannot read it any more.
uid_t overflow_uid() {
  static const uid_t uid = [] {
    uid_t overflow = 65534;
    std::ifstream("/proc/sys/kernel/overflowuid") >> overflow;
    return overflow;
  }();
  return uid;
}

// False also where nobody tells.
bool all_users_are_mapped() {
  constexpr uint64_t kAll = 0xFFFF'FFFF;  // but for (uid_t)-1
  std::ifstream map("/proc/self/uid_map");
  uint64_t mapped = 0;
  for (uint64_t inside = 0, outside = 0, count = 0; map >> inside >> outside >> count;) {
    mapped += count;
  }
  return mapped >= kAll;
}

bool may_be_anybody(uid_t uid) { return uid == overflow_uid() && !all_users_are_mapped(); }

// Of another user's process, /proc does not say so.
bool shares_our_user_namespace(pid_t pid) {
  struct stat its {};
  struct stat ours {};
  return pid > 0 && ::stat(fmt::format("/proc/{}/ns/user", pid).c_str(), &its) == 0 &&
         ::stat("/proc/self/ns/user", &ours) == 0 && its.st_ino == ours.st_ino && its.st_dev == ours.st_dev;
}

}  // namespace

void learn_users() { overflow_uid(); }

bool is_our_user(uid_t uid, pid_t pid) {
  return uid == ::geteuid() && (!may_be_anybody(uid) || pid == ::getpid() || shares_our_user_namespace(pid));
}

bool is_our_file(const UniqueFd& fd, const struct stat& status) {
  return status.st_uid == ::geteuid() &&
         (!may_be_anybody(status.st_uid) || ::fchmod(fd.get(), status.st_mode & 07777) == 0);
}

}  // namespace canopy
