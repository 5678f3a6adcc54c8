#include "examples/allgather_matmul/partition.h"

#include <gtest/gtest.h>

#include <vector>

namespace agmm {
namespace {

struct Shape {
  uint64_t m, k, n;
  uint32_t pes;
  uint64_t tile;
};

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (uint64_t m : {1, 2, 3, 7, 8, 31, 64, 97, 1797}) {
    for (uint32_t pes : {1, 2, 3, 4, 8, 100}) {
      for (uint64_t tile : {1, 5, 64, 4096}) {
        all.push_back({m, 3, m + 1, pes, tile});
      }
    }
  }
  return all;
}

TEST(Partition, RowBlocksCoverEveryRowOnce) {
  for (const Shape& s : shapes()) {
    const Partition part{s.m, s.k, s.n, s.pes, s.tile};
    uint64_t next_row = 0;
    uint64_t next_col = 0;
    for (uint32_t pe = 0; pe < s.pes; ++pe) {
      EXPECT_EQ(part.rows_of(pe).begin, next_row);
      EXPECT_EQ(part.cols_of(pe).begin, next_col);
      EXPECT_LE(part.cols_of(pe).size(), part.most_cols());
      next_row = part.rows_of(pe).end;
      next_col = part.cols_of(pe).end;
    }
    EXPECT_EQ(next_row, s.m);
    EXPECT_EQ(next_col, s.n);
  }
}

TEST(Partition, RowTilesAreNumberedWithoutGapsAndCoverTheBlock) {
  for (const Shape& s : shapes()) {
    const Partition part{s.m, s.k, s.n, s.pes, s.tile};
    uint64_t number = 0;
    for (uint32_t pe = 0; pe < s.pes; ++pe) {
      EXPECT_EQ(part.first_row_tile(pe), number) << s.m << " rows, pe " << pe << " of " << s.pes;
      uint64_t row = part.rows_of(pe).begin;
      for (uint64_t t = 0; t < part.row_tiles_of(pe); ++t) {
        EXPECT_EQ(part.row_tile(pe, t).begin, row);
        EXPECT_GE(part.row_tile(pe, t).size(), 1u);
        EXPECT_LE(part.row_tile(pe, t).size(), s.tile);
        row = part.row_tile(pe, t).end;
      }
      EXPECT_EQ(row, part.rows_of(pe).end);
      number += part.row_tiles_of(pe);
    }
    EXPECT_EQ(part.row_tiles(), number);
  }
}

TEST(Partition, ColumnTilesCoverTheBlock) {
  for (const Shape& s : shapes()) {
    const Partition part{s.m, s.k, s.n, s.pes, s.tile};
    for (uint32_t pe = 0; pe < s.pes; ++pe) {
      uint64_t col = 0;
      for (uint64_t t = 0; t < part.col_tiles_of(pe); ++t) {
        EXPECT_EQ(part.col_tile(pe, t).begin, col);
        EXPECT_LE(part.col_tile(pe, t).size(), s.tile);
        col = part.col_tile(pe, t).end;
      }
      EXPECT_EQ(col, part.cols_of(pe).size());
    }
  }
}

TEST(Partition, ARankBeyondTheRowsOwnsNone) {
  const Partition part{3, 1, 2, 8, 4};
  EXPECT_EQ(part.rows_of(2).size(), 1u);
  EXPECT_EQ(part.rows_of(3).size(), 0u);
  EXPECT_EQ(part.row_tiles_of(7), 0u);
  EXPECT_EQ(part.cols_of(7).size(), 0u);
  EXPECT_EQ(part.row_tiles(), 3u);
}

TEST(Partition, HugeExtentsDoNotOverflow) {
  const uint64_t huge = uint64_t{1} << 62;
  const Partition part{huge, 1, huge, 8, huge};
  EXPECT_EQ(part.rows_of(7).end, huge);
  EXPECT_EQ(part.row_tiles(), 8u);
}

}  // namespace
}  // namespace agmm
