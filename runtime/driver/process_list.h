// ProcessList: processes by their pids, as those who may import something. Not thread-safe.
//
// A pid names another process when the one that had it has ended. So an entry also has what the kernel calls the process
// (the inode of its pidfd, never used again while the system runs; Linux 6.9), and who connects is named by SO_PEERPIDFD:
// of a listed process that is gone nobody inherits the right. Where the kernel tells neither, pids alone decide. A pid that
// nobody has when it is listed lets nobody in, unless the kernel does not tell.
#pragma once

#include "runtime/base/unique_fd.h"

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <span>
#include <vector>

namespace canopy {

// What the kernel calls a process as long as the system runs; 0: it does not tell.
uint64_t process_identity(pid_t pid);
// The same of who has connected `socket`, at the time when it did.
uint64_t peer_identity(const UniqueFd& socket);

class ProcessList {
 public:
  struct Entry {
    pid_t pid;
    uint64_t identity;  // 0: not known
    auto operator<=>(const Entry&) const = default;
  };
  ProcessList() = default;
  ProcessList(const std::vector<pid_t>& pids);  // NOLINT: a list of pids is one

  // False: it is listed already.
  bool add(const Entry& process);
  // Whether the process that is called `identity` (0: not known) and has `pid` is listed. Nobody: pid 0, which is
  // in a pid namespace that we do not see.
  bool has(pid_t pid, uint64_t identity) const;
  bool empty() const { return entries_.empty(); }
  std::span<const Entry> entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

// A descriptor that is readable from the end of that process on. None, with ESRCH in errno: it has ended; any other: not to
// be had.
UniqueFd end_of_process(const ProcessList::Entry& process);

}  // namespace canopy
