#include "tests/bench/harness/statistics.h"

#include "runtime/base/check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace canopy::bench {

double quantile(std::vector<double> samples, double q) {
  CHECK(!samples.empty(), "a quantile needs at least one sample");
  std::sort(samples.begin(), samples.end());
  const double at = q * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<size_t>(std::floor(at));
  const size_t above = std::min(below + 1, samples.size() - 1);
  const double share = at - static_cast<double>(below);
  return samples[below] * (1 - share) + samples[above] * share;
}

double median(std::vector<double> samples) { return quantile(std::move(samples), 0.5); }

double geometric_mean(const std::vector<double>& samples) {
  double logs = 0;
  for (const double sample : samples) {
    logs += std::log(sample);
  }
  return std::exp(logs / static_cast<double>(samples.size()));
}

double interquartile_range(const std::vector<double>& samples) {
  return quantile(samples, 0.75) - quantile(samples, 0.25);
}

}  // namespace canopy::bench
