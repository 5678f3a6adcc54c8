// How much memory this host still has for us, and how big the symmetric heap may be. A heap that
// does not fit is refused at init with a sentence: without that, the kernel kills the job on first
// touch.
#pragma once

#include "runtime/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace canopy::shmem {

struct AvailableMemory {
  uint64_t bytes = 0;
  std::string limited_by;  // "MemAvailable", or the cgroup's path
};

// The smaller of /proc/meminfo's MemAvailable and what the cgroups (v2) of this process have left.
AvailableMemory available_memory();

// SHMEM_SYMMETRIC_SIZE as the specification words it: a decimal number, perhaps with a fraction,
// and a suffix of which the first letter (k m g t, any case) counts; rounded up. Nothing when
// malformed.
std::optional<uint64_t> parse_symmetric_size(std::string_view text);

// The value of SHMEM_<name>, or of the older SMA_<name>.
std::optional<std::string> shmem_variable(const char* name);

struct HeapWish {
  uint64_t bytes = 0;
  bool by_user = false;
};
// What this PE wants: SHMEM_SYMMETRIC_SIZE, or min(1 GiB, half of the memory shared by local_pes).
Result<HeapWish> wanted_heap(int local_pes);

// An error when `local_pes` heaps of `bytes` do not fit into available memory.
Result<> check_heap_fits(uint64_t bytes, int local_pes, int pe, std::string_view set_by);

}  // namespace canopy::shmem
