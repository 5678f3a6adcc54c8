// Order statistics of small sample sets. Free functions, any thread.
#pragma once

#include <vector>

namespace canopy::bench {

// The value below which the share `q` (0 to 1) of the samples lies, interpolated between
// neighbours. REQUIRES: samples is not empty.
double quantile(std::vector<double> samples, double q);
double median(std::vector<double> samples);
// REQUIRES: all are above 0, and there is one.
double geometric_mean(const std::vector<double>& samples);
// Third quartile minus first.
double interquartile_range(const std::vector<double>& samples);

}  // namespace canopy::bench
