// How much memory this process may use: the host's, or less when its cgroup says so.
// Thread-safe; reads a few small files of /proc and the cgroup file system, nothing else.
#pragma once

#include <cstdint>
#include <string>

namespace canopy::topology {

struct HostMemory {
  uint64_t bytes = 0;      // 0: neither /proc/meminfo nor a limit could be read
  bool by_cgroup = false;  // the cgroup limit is the smaller one
};

// The smallest of MemTotal and every memory.max (cgroup v2) from this process's cgroup up to the
// root. The two roots are parameters for tests.
HostMemory usable_memory(const std::string& proc_root = "/proc",
                         const std::string& cgroup_root = "/sys/fs/cgroup");

}  // namespace canopy::topology
