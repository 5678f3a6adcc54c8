#include "examples/allgather_matmul/reference.h"
#include "examples/allgather_matmul/tile_multiply.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

namespace agmm {
namespace {

// A problem computed by the cube unit in one piece.
struct Problem {
  std::unique_ptr<MatrixSource> a;
  std::vector<float> b;
  std::vector<float> c;
  Range cols;

  Problem(uint64_t m, uint64_t k, uint64_t n) : a(make_seeded(m, k, 1, "A")), b(k * n), c(m * n) {
    auto source = make_seeded(k, n, 2, "B");
    for (uint64_t row = 0; row < k; ++row) {
      source->read_row(row, 0, std::span(b).subspan(row * n, n));
    }
    std::vector<float> whole(m * k);
    for (uint64_t row = 0; row < m; ++row) {
      a->read_row(row, 0, std::span(whole).subspan(row * k, k));
    }
    multiply_tile(m, n, k, whole.data(), k, b.data(), n, c.data(), n);
    cols = {10, 10 + n};
  }
  CheckResult check(uint64_t budget) const { return check_block(*a, b, c, cols, budget); }
};

TEST(Reference, AgreesWithTheTileMultiplyForOddShapes) {
  for (auto [m, k, n] : {std::array<uint64_t, 3>{1, 1, 1},
                         {1, 1, 9},
                         {7, 1, 3},
                         {13, 101, 17},
                         {65, 129, 67},
                         {2, 1000, 2}}) {
    const CheckResult result = Problem(m, k, n).check(1 << 30);
    EXPECT_TRUE(result.ok()) << m << " " << k << " " << n << ": " << result.max_error;
    EXPECT_EQ(result.rows_checked, m);
    EXPECT_LT(result.max_error, 1e-3);
  }
}

// As the blocks of a kernel call it: not every BLAS can take that.
TEST(TileMultiply, ManyThreadsAtOnceGetTheRightProducts) {
  constexpr uint64_t kSize = 128;
  constexpr uint64_t kDepth = 1000;
  std::vector<float> a(kSize * kDepth);
  std::vector<float> b(kDepth * kSize);
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(static_cast<int>(i * 7 % 13) - 6);
    b[i] = static_cast<float>(static_cast<int>(i * 5 % 11) - 5);
  }
  std::vector<float> expected(kSize * kSize);
  multiply_tile(kSize, kSize, kDepth, a.data(), kDepth, b.data(), kSize, expected.data(), kSize);
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      std::vector<float> c(kSize * kSize);
      for (int i = 0; i < 300; ++i) {
        multiply_tile(kSize, kSize, kDepth, a.data(), kDepth, b.data(), kSize, c.data(), kSize);
        wrong += c != expected;  // whole numbers below 2^24: exact in any order
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(Reference, NamesTheFirstWrongElement) {
  Problem problem(9, 4, 5);
  problem.c[7 * 5 + 3] += 0.01f;
  const CheckResult result = problem.check(1 << 30);
  EXPECT_EQ(result.wrong, 1u);
  EXPECT_EQ(result.first_wrong_row, 7u);
  EXPECT_EQ(result.first_wrong_col, 13u);
  EXPECT_NEAR(result.found - result.expected, 0.01, 1e-6);
}

TEST(Reference, ARowThatNeverArrivedIsWrong) {
  Problem problem(9, 4, 5);
  problem.c[8 * 5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(problem.check(1 << 30).wrong, 1u);
}

TEST(Reference, SamplesWithinTheBudgetAndTakesFirstAndLastRow) {
  Problem problem(50, 4, 5);
  EXPECT_EQ(problem.check(10 * 4 * 5).rows_checked, 10u);
  EXPECT_EQ(problem.check(0).rows_checked, 2u);
  problem.c[0] += 1;
  problem.c[49 * 5] += 1;
  EXPECT_EQ(problem.check(0).wrong, 2u);
}

TEST(Reference, InfinitiesOfTheInputAreNoError) {
  struct Infinite final : MatrixSource {
    uint64_t rows() const override { return 1; }
    uint64_t cols() const override { return 1; }
    std::string name() const override { return "inf"; }
    void read_row(uint64_t, uint64_t, std::span<float> out) const override {
      out[0] = std::numeric_limits<float>::infinity();
    }
  };
  const std::vector<float> b = {1, 0};
  const std::vector<float> c = {std::numeric_limits<float>::infinity(), std::nanf("")};
  EXPECT_TRUE(check_block(Infinite(), b, c, {0, 2}, 100).ok());
}

}  // namespace
}  // namespace agmm
