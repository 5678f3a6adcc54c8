// Comparison: the rounds of one metric, ours against a peer's, and what they amount to.
//
// A round is one run of each side, one right after the other, so that both see the same machine. A
// round whose peer is over 25 % slower than the peer's own best round is void: something else was
// using the machine. The best may come later, so validity is judged anew on every question.
// Not thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace canopy::bench {

// One run of one side. `p99` is the run's own, over its samples; absent when it measured only once.
struct Measurement {
  double value;
  std::optional<double> p99;
};

struct Verdict {
  double value;  // medians over the valid rounds
  double p99;
  std::optional<double> peer_value;
  // Of the medians; above 1 when we are better.
  std::optional<double> ratio;
  // Of the rounds' ratios; without a peer, of the values.
  double iqr;
  size_t valid_rounds;
  size_t void_rounds;
};

class Comparison {
 public:
  static constexpr double kVoidFactor = 1.25;

  explicit Comparison(bool higher_is_better) : higher_is_better_(higher_is_better) {}

  void add(Measurement ours, std::optional<double> peer);
  size_t rounds() const { return rounds_.size(); }
  size_t valid_rounds() const;
  // REQUIRES: at least one round; then at least the peer's best round is valid.
  Verdict verdict() const;

 private:
  struct Round {
    Measurement ours;
    std::optional<double> peer;
  };
  bool is_valid(const Round& round) const;
  double ratio(double ours, double peer) const;

  const bool higher_is_better_;
  std::vector<Round> rounds_;
  std::optional<double> best_peer_;
};

}  // namespace canopy::bench
