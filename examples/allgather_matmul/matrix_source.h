// MatrixSource: where the input comes from. A rank takes only the part of A and B that is its own,
// and the check reads A again row by row, so that what it compares with never went through the
// cards.
//
// Immutable after construction; any thread.
#pragma once

#include "examples/allgather_matmul/fallible.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace agmm {

class MatrixSource {
 public:
  virtual ~MatrixSource() = default;

  virtual uint64_t rows() const = 0;
  virtual uint64_t cols() const = 0;
  virtual std::string name() const = 0;
  // Elements [first_col, first_col + out.size()) of `row`.
  // REQUIRES: row < rows(), first_col + out.size() <= cols()
  virtual void read_row(uint64_t row, uint64_t first_col, std::span<float> out) const = 0;
};

// A .npy file, mapped: ranks on one host share the page cache, and nothing is read that is not
// used.
Fallible<std::unique_ptr<MatrixSource>> open_npy(const std::string& path);

// Reproducible numbers in [-1, 1), each a function of (seed, row, col) alone: no rank needs the
// whole.
std::unique_ptr<MatrixSource> make_seeded(uint64_t rows, uint64_t cols, uint64_t seed,
                                          std::string name);

// The other matrix, rows and columns exchanged.
std::unique_ptr<MatrixSource> transpose(std::unique_ptr<MatrixSource> source);

}  // namespace agmm
