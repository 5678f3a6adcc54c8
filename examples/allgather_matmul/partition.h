// Partition: which part of A, B and C is whose, and how it is cut into tiles.
//
//              B: K x N, column block per rank        row block of rank r = row tiles, one put each
//             [  0  |  1  |  2 | 3 ]
//     A: M x K                                        The first M % n ranks own one row more; a
//     rank owns [ rank 0 ]      C: M x N                        no row when M < n, and no column
//     when N < n. The [ rank 1 ]      every rank computes             last tile of a block may be
//     lower than the others. [ rank 2 ]      its column block [ rank 3 ]      of all rows
//
// Row tiles have one number over the whole job, in row order; the signal word of a tile has that
// index on every rank. Trivially copyable: it travels to the kernels as a parameter. Host and
// kernels.
#pragma once

#include <cstdint>

namespace agmm {

struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;
  constexpr uint64_t size() const { return end - begin; }
};

struct Partition {
  uint64_t m = 0;
  uint64_t k = 0;
  uint64_t n = 0;
  uint32_t pes = 1;
  uint64_t tile = 1;  // rows of a row tile, and columns of a column tile

  // Block `index` of `total` things cut into `blocks` blocks as equal as can be.
  static constexpr Range block(uint64_t total, uint64_t blocks, uint64_t index) {
    const uint64_t base = total / blocks;
    const uint64_t longer = total % blocks;
    const uint64_t begin = index * base + (index < longer ? index : longer);
    return {begin, begin + base + (index < longer ? 1 : 0)};
  }
  static constexpr uint64_t tiles_in(uint64_t length, uint64_t tile) {
    return length / tile + (length % tile != 0 ? 1 : 0);
  }

  constexpr Range rows_of(uint32_t pe) const { return block(m, pes, pe); }
  constexpr Range cols_of(uint32_t pe) const { return block(n, pes, pe); }
  // The widest column block: what a symmetric allocation must hold on every rank.
  constexpr uint64_t most_cols() const { return cols_of(0).size(); }

  constexpr uint64_t row_tiles_of(uint32_t pe) const { return tiles_in(rows_of(pe).size(), tile); }
  constexpr uint64_t col_tiles_of(uint32_t pe) const { return tiles_in(cols_of(pe).size(), tile); }

  // The job-wide number of the rank's first row tile. Blocks differ by one row, so at most two
  // kinds of tile count exist: those of the longer blocks, which come first, and those of the
  // others.
  constexpr uint64_t first_row_tile(uint32_t pe) const {
    const uint64_t longer = m % pes;
    const uint64_t before = pe < longer ? pe : longer;
    return before * tiles_in(m / pes + 1, tile) + (pe - before) * tiles_in(m / pes, tile);
  }
  constexpr uint64_t row_tiles() const { return first_row_tile(pes); }

  // Rows of tile `t` of rank `pe`, and columns of tile `t` of its column block (relative to the
  // block).
  constexpr Range row_tile(uint32_t pe, uint64_t t) const {
    const Range rows = rows_of(pe);
    const uint64_t begin = rows.begin + t * tile;
    return {begin, rows.end - begin < tile ? rows.end : begin + tile};
  }
  constexpr Range col_tile(uint32_t pe, uint64_t t) const {
    const uint64_t width = cols_of(pe).size();
    const uint64_t begin = t * tile;
    return {begin, width - begin < tile ? width : begin + tile};
  }
};

}  // namespace agmm
