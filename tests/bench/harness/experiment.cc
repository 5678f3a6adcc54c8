#include "tests/bench/harness/experiment.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

namespace canopy::bench {
namespace {

constexpr size_t kMostRoundsFactor = 3;

struct Round {
  Measurements ours;
  std::optional<Measurements> peer;
};

Result<Measurement> pick(const Measurements& all, const Metric& metric, const char* side) {
  auto it = all.find(metric.printed_name());
  if (it == all.end()) {
    return fail(Errc::not_found, "{}: {} printed no RESULT line of that name",
                metric.printed_name(), side);
  }
  return it->second;
}

// One run of each side. `peer_failed` is set instead of an error when it was the peer that failed.
Result<Round> run_round(const Experiment& experiment, bool peer_first, bool& peer_failed) {
  Round round;
  auto run_peer = [&] {
    auto result = experiment.peer();
    if (result) {
      round.peer = std::move(*result);
    }
    peer_failed = !result;
  };
  peer_failed = false;
  if (experiment.peer && peer_first) {
    run_peer();
  }
  if (!peer_failed) {
    CANOPY_ASSIGN(round.ours, experiment.ours());
    if (experiment.peer && !peer_first) {
      run_peer();
    }
  }
  return round;
}

std::string describe(const Experiment& experiment, const std::vector<Comparison>& comparisons,
                     const Round& round) {
  std::string line = fmt::format("round {}:", comparisons[0].rounds());
  for (size_t i = 0; i < experiment.metrics.size(); ++i) {
    const Metric& metric = experiment.metrics[i];
    line += fmt::format("  {} {:.4g}", metric.name, round.ours.at(metric.printed_name()).value);
    if (round.peer) {
      line += fmt::format(" ({:.4g})", round.peer->at(metric.printed_name()).value);
    }
  }
  return line;
}

bool enough(const std::vector<Comparison>& comparisons, size_t wanted) {
  return std::all_of(comparisons.begin(), comparisons.end(),
                     [&](const Comparison& c) { return c.valid_rounds() >= wanted; });
}

Result<void> note(const Experiment& experiment, const Round& round,
                  std::vector<Comparison>& comparisons) {
  for (size_t i = 0; i < experiment.metrics.size(); ++i) {
    CANOPY_ASSIGN(const Measurement ours, pick(round.ours, experiment.metrics[i], "our side"));
    std::optional<double> peer;
    if (round.peer) {
      CANOPY_ASSIGN(const Measurement theirs, pick(*round.peer, experiment.metrics[i], "the peer"));
      peer = theirs.value;
    }
    comparisons[i].add(ours, peer);
  }
  return {};
}

}  // namespace

Result<Outcome> run_experiment(const Experiment& experiment,
                               const std::function<void(const std::string&)>& progress) {
  std::vector<Comparison> comparisons;
  for (const Metric& metric : experiment.metrics) {
    comparisons.emplace_back(metric.higher_is_better);
  }
  const size_t most = experiment.rounds * kMostRoundsFactor;
  for (size_t n = 0; n < most && !enough(comparisons, experiment.rounds); ++n) {
    bool peer_failed = false;
    CANOPY_ASSIGN(const Round round, run_round(experiment, n % 2 == 1, peer_failed));
    if (peer_failed) {
      const std::string why = error_text::take_newest();
      progress(
          fmt::format("the peer {} failed, going on without it: {}", experiment.peer_name, why));
      Experiment alone = experiment;
      alone.peer = nullptr;
      CANOPY_ASSIGN(Outcome outcome, run_experiment(alone, progress));
      outcome.peer_lost = why;
      return outcome;
    }
    CANOPY_TRY(note(experiment, round, comparisons));
    progress(describe(experiment, comparisons, round));
  }
  Outcome outcome;
  for (const Comparison& comparison : comparisons) {
    outcome.verdicts.push_back(comparison.verdict());
  }
  return outcome;
}

Result<Measurements> parse_results(const std::string& text) {
  Measurements found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("RESULT ", 0) != 0) {
      continue;
    }
    std::istringstream words(line.substr(7));
    std::string name;
    double value = 0;
    std::string p99;
    if (!(words >> name >> value >> p99) || !std::isfinite(value)) {
      return fail(Errc::parse, "'{}' is not RESULT name value p99", line);
    }
    char* end = nullptr;
    const double tail = std::strtod(p99.c_str(), &end);
    found[name] = Measurement{value, *end == '\0' ? std::optional(tail) : std::nullopt};
  }
  return found;
}

}  // namespace canopy::bench
