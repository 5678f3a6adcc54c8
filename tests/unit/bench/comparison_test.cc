#include "tests/bench/harness/comparison.h"

#include <gtest/gtest.h>

namespace canopy::bench {
namespace {

Measurement of(double value) { return Measurement{value, std::nullopt}; }

TEST(Comparison, RatioOfATimeIsPeerByOurs) {
  Comparison times(false);
  times.add(of(10), 30);
  EXPECT_DOUBLE_EQ(*times.verdict().ratio, 3);
}

TEST(Comparison, RatioOfARateIsOursByPeer) {
  Comparison rates(true);
  rates.add(of(30), 10);
  EXPECT_DOUBLE_EQ(*rates.verdict().ratio, 3);
}

TEST(Comparison, RoundWithAPeerOverAQuarterSlowerIsVoid) {
  Comparison times(false);
  times.add(of(10), 100);
  times.add(of(10), 125);
  times.add(of(99), 126);
  EXPECT_EQ(times.valid_rounds(), 2u);
  const Verdict verdict = times.verdict();
  EXPECT_DOUBLE_EQ(verdict.value, 10);
  EXPECT_EQ(verdict.void_rounds, 1u);
}

TEST(Comparison, SlowRateOfThePeerIsVoidToo) {
  Comparison rates(true);
  rates.add(of(10), 100);
  rates.add(of(10), 79);
  EXPECT_EQ(rates.valid_rounds(), 1u);
}

TEST(Comparison, LaterBestVoidsEarlierRounds) {
  Comparison times(false);
  times.add(of(10), 100);
  times.add(of(10), 101);
  EXPECT_EQ(times.valid_rounds(), 2u);
  times.add(of(10), 50);
  EXPECT_EQ(times.valid_rounds(), 1u);
}

TEST(Comparison, RangeIsThatOfTheRatiosOfTheRounds) {
  Comparison times(false);
  for (double ours : {10, 20, 25, 50, 100}) {
    times.add(of(ours), 100);  // ratios 10, 5, 4, 2, 1
  }
  EXPECT_DOUBLE_EQ(times.verdict().iqr, 3);
}

TEST(Comparison, WithoutAPeerEveryRoundCounts) {
  Comparison times(false);
  times.add(of(10), std::nullopt);
  times.add(of(1000), std::nullopt);
  EXPECT_EQ(times.valid_rounds(), 2u);
  EXPECT_FALSE(times.verdict().ratio);
  EXPECT_FALSE(times.verdict().peer_value);
}

TEST(Comparison, TailIsTheMedianOfTheRunsOwnTails) {
  Comparison times(false);
  times.add(Measurement{10, 20}, std::nullopt);
  times.add(Measurement{10, 40}, std::nullopt);
  times.add(Measurement{10, 30}, std::nullopt);
  EXPECT_DOUBLE_EQ(times.verdict().p99, 30);
}

TEST(Comparison, TailOfARateWithoutItsOwnIsTheLowEnd) {
  Comparison rates(true);
  for (int i = 0; i <= 100; ++i) {
    rates.add(of(i), std::nullopt);
  }
  EXPECT_DOUBLE_EQ(rates.verdict().p99, 1);
}

}  // namespace
}  // namespace canopy::bench
