// How much memory a problem takes, and whether it is there: said before anything is allocated,
// since a job that touches more than the machine has is killed without a word.
#pragma once

#include "examples/allgather_matmul/fallible.h"
#include "examples/allgather_matmul/partition.h"

#include <cstdint>

namespace agmm {

// Bytes of one rank; the widest column block is assumed, since symmetric memory is equal on all
// ranks.
struct MemoryNeed {
  uint64_t heap = 0;         // symmetric: A, C, the signals; a multiple of 2 MiB
  uint64_t private_hbm = 0;  // the block of B, the tickets
  uint64_t host = 0;         // copies for the check
  uint64_t all() const { return heap + private_hbm + host; }
};

// A sentence when a size does not fit 64 bits.
Fallible<MemoryNeed> memory_need(const Partition& part);

struct MemoryLimits {
  uint64_t hbm_free = 0;   // of the rank's NPU
  int ranks_on_npu = 1;    // they share it
  uint64_t host_free = 0;  // of the host, which also holds the simulated NPUs' memory
  int ranks_on_host = 1;
};
// A sentence with the need and the limit when something does not fit.
Fallible<void> check_memory(const MemoryNeed& need, const MemoryLimits& limits);

// What this process may still take: MemAvailable, or less where a cgroup (v2) limits it.
uint64_t available_host_memory();

}  // namespace agmm
