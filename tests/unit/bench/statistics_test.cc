#include "tests/bench/harness/statistics.h"

#include <gtest/gtest.h>

namespace canopy::bench {
namespace {

TEST(Statistics, MedianOfAnOddCountIsTheMiddleOne) { EXPECT_DOUBLE_EQ(median({9, 1, 5}), 5); }

TEST(Statistics, MedianOfAnEvenCountLiesBetweenTheMiddleTwo) {
  EXPECT_DOUBLE_EQ(median({4, 1, 2, 3}), 2.5);
}

TEST(Statistics, QuantilesOfOneSampleAreThatSample) {
  EXPECT_DOUBLE_EQ(quantile({7}, 0), 7);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.99), 7);
}

TEST(Statistics, QuantileReachesBothEnds) {
  EXPECT_DOUBLE_EQ(quantile({3, 1, 2}, 0), 1);
  EXPECT_DOUBLE_EQ(quantile({3, 1, 2}, 1), 3);
}

TEST(Statistics, InterquartileRangeIgnoresOneOutlier) {
  EXPECT_DOUBLE_EQ(interquartile_range({1, 2, 3, 4, 1000}), 2);
}

TEST(Statistics, GeometricMeanOfAGainAndAnEqualLossIsOne) {
  EXPECT_DOUBLE_EQ(geometric_mean({4, 0.25}), 1);
  EXPECT_NEAR(geometric_mean({1, 2, 4}), 2, 1e-12);
}

}  // namespace
}  // namespace canopy::bench
