#include "examples/allgather_matmul/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

namespace agmm {
namespace {

std::vector<uint64_t> rows_to_check(uint64_t rows, uint64_t work_per_row, uint64_t budget) {
  const uint64_t affordable = std::max<uint64_t>(2, budget / std::max<uint64_t>(1, work_per_row));
  std::vector<uint64_t> all;
  if (affordable >= rows) {
    for (uint64_t row = 0; row < rows; ++row) {
      all.push_back(row);
    }
    return all;
  }
  std::set<uint64_t> chosen = {0, rows - 1};
  std::mt19937_64 random(rows);  // the same rows in every run: a failure can be seen again
  while (chosen.size() < affordable) {
    chosen.insert(random() % rows);
  }
  return {chosen.begin(), chosen.end()};
}

// Whether fp32 arithmetic can have made `found` of a sum whose exact value is `expected` and whose
// terms add up to `magnitude` in absolute value: |error| <= depth * eps * magnitude for any order
// of summation, plus one rounding and what is lost among denormal numbers.
bool explained(float found, double expected, double magnitude, uint64_t depth) {
  constexpr double eps = std::numeric_limits<float>::epsilon();
  constexpr double fp32_max = std::numeric_limits<float>::max();
  const double terms = static_cast<double>(depth) + 1;
  if (!std::isfinite(found) || !std::isfinite(expected)) {
    const bool same = std::isnan(expected) ? std::isnan(found) : found == expected;
    return same || magnitude > fp32_max;  // an intermediate sum may have left the range
  }
  return std::abs(found - expected) <=
         terms * (eps * magnitude + std::numeric_limits<float>::min());
}

}  // namespace

CheckResult check_block(const MatrixSource& a, std::span<const float> b_block,
                        std::span<const float> c_block, Range cols, uint64_t budget) {
  CheckResult result;
  const uint64_t width = cols.size();
  if (width == 0) {
    return result;
  }
  const uint64_t depth = a.cols();
  std::vector<float> a_row(depth);
  std::vector<double> sum(width);
  std::vector<double> magnitude(width);
  for (uint64_t row : rows_to_check(a.rows(), depth * width, budget)) {
    a.read_row(row, 0, a_row);
    std::fill(sum.begin(), sum.end(), 0.0);
    std::fill(magnitude.begin(), magnitude.end(), 0.0);
    for (uint64_t p = 0; p < depth; ++p) {
      for (uint64_t j = 0; j < width; ++j) {
        const double term = static_cast<double>(a_row[p]) * b_block[p * width + j];
        sum[j] += term;
        magnitude[j] += std::abs(term);
      }
    }
    ++result.rows_checked;
    for (uint64_t j = 0; j < width; ++j) {
      const float found = c_block[row * width + j];
      const double error = std::abs(found - sum[j]);
      if (error > result.max_error) {
        result.max_error = error;
      }
      if (!explained(found, sum[j], magnitude[j], depth) && result.wrong++ == 0) {
        result.first_wrong_row = row;
        result.first_wrong_col = cols.begin + j;
        result.found = found;
        result.expected = sum[j];
      }
    }
  }
  return result;
}

}  // namespace agmm
