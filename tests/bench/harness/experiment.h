// Experiment: metrics that come out of the same pair of runs, measured in alternating rounds.
//
// The sides are functions, so that tests can play both. Not thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "tests/bench/harness/comparison.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace canopy::bench {

struct Metric {
  std::string name;
  std::string unit;
  bool higher_is_better = false;
  // What must be reached, for the progress report; either may be absent.
  std::optional<double> value_limit;
  std::optional<double> ratio_limit;
  std::optional<double> p99_limit;
  std::optional<double> excess_limit;  // over the peer's value
  // The name under which the programs print it, when that is another one.
  std::string printed_as;

  const std::string& printed_name() const { return printed_as.empty() ? name : printed_as; }
};

// What one run measured, by printed name.
using Measurements = std::map<std::string, Measurement>;
// Runs one side once.
using Side = std::function<Result<Measurements>()>;

struct Experiment {
  std::vector<Metric> metrics;
  Side ours;
  Side peer;              // empty: none, or it could not be built
  std::string peer_name;  // "" without a peer
  size_t rounds = 11;     // valid ones wanted
  // Experiments of one name have a geometric mean of their ratios, which is reported under it; "" for none.
  std::string mean;
};

struct Outcome {
  std::vector<Verdict> verdicts;  // one per metric, in order
  // Why there is no peer figure although one was asked for; "" otherwise.
  std::string peer_lost;
};

// Runs rounds until every metric has enough valid ones, at most three times as many. Which side
// goes first alternates. A peer that fails is dropped and the rounds start over without it; a
// failure of ours is the caller's error: its benchmark did not do what it claims. `progress` gets a
// line per round.
Result<Outcome> run_experiment(const Experiment& experiment,
                               const std::function<void(const std::string&)>& progress);

// The RESULT lines of a benchmark program: "RESULT name value p99", p99 may be "-".
// Error: parse, a line that is none.
Result<Measurements> parse_results(const std::string& text);

}  // namespace canopy::bench
