// The plain reference: a triple loop in double precision over the input as the files hold it.
//
// Checks a rank's column block of C. Small problems are checked whole; beyond a budget of
// multiply-adds, whole rows are sampled: the first, the last, and others drawn with a fixed seed.
// One thread.
#pragma once

#include "examples/allgather_matmul/matrix_source.h"
#include "examples/allgather_matmul/partition.h"

#include <cstdint>
#include <span>
#include <string>

namespace agmm {

struct CheckResult {
  double max_error = 0;       // largest |C - reference|
  uint64_t rows_checked = 0;  // of all M rows, each in all columns of the block
  uint64_t wrong = 0;         // elements outside what fp32 rounding explains
  uint64_t first_wrong_row = 0;
  uint64_t first_wrong_col = 0;  // in C, not in the block
  double found = 0;
  double expected = 0;

  bool ok() const { return wrong == 0; }
};

// `c_block` is M x cols.size() in C order, `b_block` K x cols.size(). `budget` is the number of
// multiply-adds that may be spent; at least two rows are checked whatever it is.
CheckResult check_block(const MatrixSource& a, std::span<const float> b_block,
                        std::span<const float> c_block, Range cols, uint64_t budget);

}  // namespace agmm
