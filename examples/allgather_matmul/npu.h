// Which NPU is this rank's, and who else is on the same host and NPU.
#pragma once

#include "examples/allgather_matmul/fallible.h"
#include "examples/allgather_matmul/job.h"

#include <cstdint>
#include <string>

namespace agmm {

struct Npu {
  std::string host;
  int32_t device = -1;
  std::string soc;
  uint64_t hbm_free = 0;
};

// Opens NPU `wanted`, or for -1 the one with the rank's number on its host, modulo the number of
// NPUs. Not collective: it comes before the job is joined, so that the symmetric heap lies on this
// NPU.
Fallible<Npu> open_npu(int wanted);
void close_npu(const Npu& npu);

struct Neighbours {
  int on_host = 0;  // ranks of this job, this one included
  int on_npu = 0;
};
// Collective.
Neighbours count_neighbours(Job& job, const Npu& npu);

}  // namespace agmm
