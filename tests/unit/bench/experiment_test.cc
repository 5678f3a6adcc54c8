#include "tests/bench/harness/experiment.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace canopy::bench {
namespace {

void ignore(const std::string&) {}

Metric metric(const std::string& name) {
  Metric m;
  m.name = name;
  m.unit = "ns";
  return m;
}

// A side that measures the values one after the other, the last one for ever.
Side sequence(const std::string& name, std::vector<double> values, size_t* runs = nullptr) {
  return [=, next = size_t{0}]() mutable -> Result<Measurements> {
    const double value = values[std::min(next++, values.size() - 1)];
    if (runs != nullptr) {
      ++*runs;
    }
    return Measurements{{name, Measurement{value, std::nullopt}}};
  };
}

TEST(Experiment, RunsAsManyRoundsAsWanted) {
  size_t ours = 0;
  size_t peers = 0;
  Experiment experiment{
      {metric("x")}, sequence("x", {10}, &ours), sequence("x", {20}, &peers), "peer"};
  auto outcome = run_experiment(experiment, ignore);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(ours, 11u);
  EXPECT_EQ(peers, 11u);
  EXPECT_EQ(outcome->verdicts[0].valid_rounds, 11u);
}

TEST(Experiment, RepeatsVoidRounds) {
  Experiment experiment{{metric("x")}, sequence("x", {10}), sequence("x", {20, 90, 20}), "peer"};
  auto outcome = run_experiment(experiment, ignore);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->verdicts[0].valid_rounds, 11u);
  EXPECT_EQ(outcome->verdicts[0].void_rounds, 1u);
}

TEST(Experiment, GivesUpAfterThreeTimesTheRoundsAndSaysHowManyWereValid) {
  Experiment experiment{{metric("x")}, sequence("x", {10}), sequence("x", {20, 90}), "peer"};
  auto outcome = run_experiment(experiment, ignore);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->verdicts[0].valid_rounds, 1u);
  EXPECT_EQ(outcome->verdicts[0].void_rounds, 32u);
}

TEST(Experiment, AlternatesWhichSideGoesFirst) {
  std::string order;
  auto side = [&](char letter) -> Side {
    return [&order, letter]() -> Result<Measurements> {
      order += letter;
      return Measurements{{"x", Measurement{1, std::nullopt}}};
    };
  };
  Experiment experiment{{metric("x")}, side('A'), side('B'), "peer", 3};
  ASSERT_TRUE(run_experiment(experiment, ignore));
  EXPECT_EQ(order, "ABBAAB");
}

TEST(Experiment, GoesOnWithoutAPeerThatFails) {
  auto crash = []() -> Result<Measurements> { return fail(Errc::closed, "signal 11"); };
  Experiment experiment{{metric("x")}, sequence("x", {10}), crash, "peer"};
  auto outcome = run_experiment(experiment, ignore);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->peer_lost, "signal 11");
  EXPECT_FALSE(outcome->verdicts[0].peer_value);
  EXPECT_EQ(outcome->verdicts[0].valid_rounds, 11u);
}

TEST(Experiment, FailsWhenOurBenchmarkFails) {
  auto crash = []() -> Result<Measurements> { return fail(Errc::closed, "counter is 7, not 8"); };
  Experiment experiment{{metric("x")}, crash, sequence("x", {20}), "peer"};
  EXPECT_FALSE(run_experiment(experiment, ignore));
}

TEST(Experiment, FailsWhenAMetricIsNotPrinted) {
  Experiment experiment{{metric("x")}, sequence("y", {10}), nullptr, ""};
  EXPECT_FALSE(run_experiment(experiment, ignore));
}

TEST(Results, AreReadAmongOtherLines) {
  auto found = parse_results("hello\nRESULT put8_ns 12.5 20\nRESULT job_start_ms 80 -\n");
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->at("put8_ns").value, 12.5);
  EXPECT_DOUBLE_EQ(*found->at("put8_ns").p99, 20);
  EXPECT_FALSE(found->at("job_start_ms").p99);
}

TEST(Results, RefuseALineWithoutANumber) {
  EXPECT_FALSE(parse_results("RESULT put8_ns fast 20\n"));
  EXPECT_FALSE(parse_results("RESULT put8_ns\n"));
}

}  // namespace
}  // namespace canopy::bench
