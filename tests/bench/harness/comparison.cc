#include "tests/bench/harness/comparison.h"

#include "runtime/base/check.h"
#include "tests/bench/harness/statistics.h"

#include <algorithm>

namespace canopy::bench {

void Comparison::add(Measurement ours, std::optional<double> peer) {
  if (peer) {
    best_peer_ = !best_peer_         ? *peer
                 : higher_is_better_ ? std::max(*best_peer_, *peer)
                                     : std::min(*best_peer_, *peer);
  }
  rounds_.push_back(Round{ours, peer});
}

bool Comparison::is_valid(const Round& round) const {
  if (!round.peer) {
    return !best_peer_;  // a round without the peer's figure cannot join a comparison
  }
  return higher_is_better_ ? *round.peer * kVoidFactor >= *best_peer_
                           : *round.peer <= *best_peer_ * kVoidFactor;
}

size_t Comparison::valid_rounds() const {
  return static_cast<size_t>(std::count_if(rounds_.begin(), rounds_.end(),
                                           [this](const Round& r) { return is_valid(r); }));
}

double Comparison::ratio(double ours, double peer) const {
  return higher_is_better_ ? ours / peer : peer / ours;
}

Verdict Comparison::verdict() const {
  CHECK(!rounds_.empty(), "run at least one round before asking for the verdict");
  std::vector<double> ours;
  std::vector<double> tails;
  std::vector<double> peers;
  std::vector<double> ratios;
  for (const Round& round : rounds_) {
    if (!is_valid(round)) {
      continue;
    }
    ours.push_back(round.ours.value);
    if (round.ours.p99) {
      tails.push_back(*round.ours.p99);
    }
    if (round.peer) {
      peers.push_back(*round.peer);
      ratios.push_back(ratio(round.ours.value, *round.peer));
    }
  }
  Verdict verdict{};
  verdict.value = median(ours);
  // The slow end of a rate is its low end.
  verdict.p99 = !tails.empty() ? median(tails) : quantile(ours, higher_is_better_ ? 0.01 : 0.99);
  verdict.valid_rounds = ours.size();
  verdict.void_rounds = rounds_.size() - ours.size();
  if (peers.empty()) {
    verdict.iqr = interquartile_range(ours);
    return verdict;
  }
  verdict.peer_value = median(peers);
  verdict.ratio = ratio(verdict.value, *verdict.peer_value);
  verdict.iqr = interquartile_range(ratios);
  return verdict;
}

}  // namespace canopy::bench
