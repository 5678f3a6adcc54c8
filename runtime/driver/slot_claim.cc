#include "runtime/driver/slot_claim.h"

#include "runtime/driver/host_table.h"

#include <fmt/format.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace canopy {
namespace {

uint64_t namespace_at(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

// A container may have kept another namespace's: its numbers are other processes.
bool proc_is_of_our_namespace() {
  char self[16] = {};
  return ::readlink("/proc/self", self, sizeof self - 1) > 0 && std::atoi(self) == ::getpid();
}

// How the process sees itself; 0: we do not see it, or /proc does not tell.
pid_t own_view_of(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("NSpid:")) {
      std::istringstream numbers(line.substr(6));
      pid_t innermost = 0;
      for (pid_t next = 0; numbers >> next;) {
        innermost = next;
      }
      return innermost;
    }
  }
  return 0;
}

}  // namespace

uint64_t own_pid_namespace() { return namespace_at("/proc/self/ns/pid"); }

pid_t pid_from_here(pid_t pid, uint64_t pid_namespace) {
  if (pid_namespace == own_pid_namespace()) {
    return pid;
  }
  if (!proc_is_of_our_namespace()) {
    return 0;
  }
  std::error_code failed;
  for (std::filesystem::directory_iterator each("/proc", failed), end; !failed && each != end; each.increment(failed)) {
    const pid_t here = std::atoi(each->path().filename().c_str());
    if (here > 0 && namespace_at(each->path() / "ns/pid") == pid_namespace && own_view_of(here) == pid) {
      return here;
    }
  }
  return 0;
}

bool lives_in_another_network(pid_t pid, uint64_t pid_namespace) {
  const pid_t here = pid_from_here(pid, pid_namespace);
  const uint64_t its = here == 0 ? 0 : namespace_at(fmt::format("/proc/{}/ns/net", here));
  return its != 0 && its != namespace_at("/proc/self/ns/net");
}

std::string doubt_claim(const HostTable& table, uint32_t slot, uint8_t age, pid_t pid) {
  const auto holder = table.holder_of(slot);
  if (!holder || holder->age != age) {
    return fmt::format("says that it holds slot {} of the host table, which it does not", slot);
  }
  bool believed;
  if (const uint64_t ours = own_pid_namespace(); holder->pid_namespace == ours && ours != 0) {
    believed = holder->pid == pid;
  } else if (const pid_t seen_by_itself = proc_is_of_our_namespace() ? own_view_of(pid) : 0; seen_by_itself == 0) {
    believed = true;
  } else {
    const uint64_t its = namespace_at(fmt::format("/proc/{}/ns/pid", pid));
    believed = seen_by_itself == holder->pid && (its == holder->pid_namespace || its == 0 || holder->pid_namespace == 0);
  }
  return believed ? "" : fmt::format("says that it holds slot {} of the host table, which is process {}'s", slot, holder->pid);
}

}  // namespace canopy
