// The header of a NumPy .npy file, versions 1.0, 2.0 and 3.0: what of it this program accepts.
//
//     0x93 N U M P Y | major minor | header length | {'descr': '<f4', 'fortran_order': False,
//     'shape': (3, 4), }
//        6 bytes     |   1 + 1     | 2 (v1) or 4   | text, padded with blanks, ends with a newline
//
// The header length is little-endian whatever the data is. Pure functions; any thread.
#pragma once

#include "examples/allgather_matmul/fallible.h"

#include <cstdint>
#include <span>
#include <string>

namespace agmm {

struct NpyHeader {
  uint64_t rows = 0;
  uint64_t cols = 0;
  bool fortran_order = false;  // columns lie one after the other instead of rows
  bool big_endian = false;
  uint64_t data_offset = 0;  // where the first element lies in the file

  uint64_t elements() const { return rows * cols; }  // cannot overflow: parsing checked it
};

// `file` holds the first bytes of the file (all of the header at least, or the whole file if
// shorter), `file_bytes` is its size, `name` goes into the sentence. Accepts two-dimensional,
// non-empty arrays of 4-byte floats whose data is all there; anything else is a sentence.
Fallible<NpyHeader> parse_npy_header(std::span<const unsigned char> file, uint64_t file_bytes,
                                     const std::string& name);

// A version 1.0 header for a C-order matrix in this machine's byte order; its size is a multiple
// of 64.
std::string make_npy_header(uint64_t rows, uint64_t cols);

}  // namespace agmm
