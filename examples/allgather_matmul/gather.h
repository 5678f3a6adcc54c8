// Brings the column blocks of C together on rank 0 and writes them as one .npy file.
#pragma once

#include "examples/allgather_matmul/fallible.h"
#include "examples/allgather_matmul/npy_writer.h"
#include "examples/allgather_matmul/partition.h"

namespace agmm {

// For rank 0 alone, while all other ranks keep `c` as it is: `c` is the symmetric memory that holds
// M x cols_of(rank) floats on each rank.
Fallible<void> write_result(const Partition& part, const float* c, NpyWriter& out);

}  // namespace agmm
