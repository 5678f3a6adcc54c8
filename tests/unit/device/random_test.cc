// The random number unit: its generator against published numbers, its distributions against
// theory.
#include "runtime/device/random.h"

#include "runtime/device/half.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace canopy {
namespace {

constexpr uint64_t kMany = 200'000;

uint64_t bits_of(float value) { return std::bit_cast<uint32_t>(value); }

RandomDraw draw_of(RandomKind kind, RandomType type, uint64_t first, uint64_t second,
                   uint64_t seed = 42) {
  RandomDraw draw;
  draw.kind = kind;
  draw.type = type;
  draw.parameters = {first, second};
  draw.seed = seed;
  return draw;
}

template <class T>
std::vector<T> fill(const RandomDraw& draw, uint64_t count = kMany) {
  std::vector<T> out(random_bytes(draw, count) / sizeof(T));
  fill_random(draw, out.data(), count);
  return out;
}

struct Moments {
  double mean = 0;
  double deviation = 0;
};

Moments moments_of(const std::vector<float>& values) {
  Moments m;
  for (float value : values) {
    m.mean += value;
  }
  m.mean /= static_cast<double>(values.size());
  for (float value : values) {
    m.deviation += (value - m.mean) * (value - m.mean);
  }
  m.deviation = std::sqrt(m.deviation / static_cast<double>(values.size()));
  return m;
}

// The largest distance between the sample's distribution and `cdf`; below 1.95 / sqrt(n) for 999 of
// 1000 honest samples (Kolmogorov).
template <class Cdf>
double distance_to(std::vector<float> values, Cdf&& cdf) {
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  double most = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double expected = cdf(values[i]);
    most = std::max({most, std::abs(expected - static_cast<double>(i) / n),
                     std::abs(expected - static_cast<double>(i + 1) / n)});
  }
  return most * std::sqrt(n);
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// The vectors of the generator's authors (Random123, kat_vectors).
TEST(Philox, GivesThePublishedNumbers) {
  EXPECT_EQ(philox({}, 0), (PhiloxWords{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0ull, ~0ull}, ~0ull),
            (PhiloxWords{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x85a308d3243f6a88, 0x0370734413198a2e}, 0x299f31d0a4093822),
            (PhiloxWords{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, CountersCarry) {
  const PhiloxCounter last{~0ull, 5};
  EXPECT_EQ(last.plus(1).low, 0u);
  EXPECT_EQ(last.plus(1).high, 6u);
}

TEST(Random, IsAFunctionOfSeedAndCounter) {
  auto draw = draw_of(RandomKind::normal, RandomType::fp32, bits_of(0), bits_of(1));
  const auto first = fill<float>(draw, 1000);
  EXPECT_EQ(fill<float>(draw, 1000), first);
  draw.seed = 43;
  EXPECT_NE(fill<float>(draw, 1000), first);
  draw.seed = 42;
  draw.counter.low = 1;
  EXPECT_NE(fill<float>(draw, 1000), first);
}

TEST(Random, ContinuesWhereTheCounterSays) {
  for (const RandomKind kind :
       {RandomKind::uniform, RandomKind::normal, RandomKind::truncated_normal}) {
    auto draw = draw_of(kind, RandomType::fp32, bits_of(0), bits_of(1));
    const auto whole = fill<float>(draw, 1000);
    draw.counter = draw.counter.plus(random_blocks(draw, 400));
    const auto rest = fill<float>(draw, 600);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), whole.begin() + 400));
  }
}

TEST(Random, UniformFloatsFillTheirRangeEvenly) {
  const auto values =
      fill<float>(draw_of(RandomKind::uniform, RandomType::fp32, bits_of(-3), bits_of(5)));
  EXPECT_GE(*std::min_element(values.begin(), values.end()), -3);
  EXPECT_LT(*std::max_element(values.begin(), values.end()), 5);
  EXPECT_LT(distance_to(values, [](double x) { return (x + 3) / 8; }), 1.95);
}

TEST(Random, UniformHalvesNeverReachTheEnd) {
  const auto fp16 = fill<uint16_t>(
      draw_of(RandomKind::uniform, RandomType::fp16, fp16_of_float(0), fp16_of_float(1)));
  const auto bf16 = fill<uint16_t>(
      draw_of(RandomKind::uniform, RandomType::bf16, bf16_of_float(-1), bf16_of_float(0)));
  double sum = 0;
  for (uint16_t value : fp16) {
    ASSERT_LT(float_of_fp16(value), 1);
    ASSERT_GE(float_of_fp16(value), 0);
    sum += float_of_fp16(value);
  }
  EXPECT_NEAR(sum / kMany, 0.5, 0.003);
  for (uint16_t value : bf16) {
    ASSERT_LT(float_of_bf16(value), 0);
    ASSERT_GE(float_of_bf16(value), -1);
  }
}

template <class T>
void expect_even(RandomType type, T low, T end) {
  const auto values = fill<T>(
      draw_of(RandomKind::uniform, type, static_cast<uint64_t>(low), static_cast<uint64_t>(end)));
  constexpr int kBins = 10;
  uint64_t bins[kBins] = {};
  for (T value : values) {
    ASSERT_GE(value, low);
    ASSERT_LT(value, end);
    // Differences first: the numbers themselves are too long for a double.
    const auto above =
        static_cast<double>(static_cast<uint64_t>(value) - static_cast<uint64_t>(low));
    const auto span = static_cast<double>(static_cast<uint64_t>(end) - static_cast<uint64_t>(low));
    ++bins[std::min<size_t>(static_cast<size_t>(above / span * kBins), kBins - 1)];
  }
  double chi = 0;
  for (uint64_t bin : bins) {
    const double off = static_cast<double>(bin) - kMany / kBins;
    chi += off * off / (kMany / kBins);
  }
  EXPECT_LT(chi, 27.9);  // 9 degrees of freedom: 999 of 1000
}

TEST(Random, UniformIntegersAreEvenOverAnyRange) {
  expect_even<int32_t>(RandomType::int32, -50, 50);
  expect_even<int32_t>(RandomType::int32, std::numeric_limits<int32_t>::min(),
                       std::numeric_limits<int32_t>::max());
  expect_even<uint32_t>(RandomType::uint32, 0, 1000);
  expect_even<int64_t>(RandomType::int64, -5'000'000'000, 5'000'000'000);
  expect_even<uint64_t>(RandomType::uint64, 1ull << 63, (1ull << 63) + 1'000'000);
  expect_even<uint64_t>(RandomType::uint64, 0, ~0ull);
}

TEST(Random, AnEmptyRangeOfOneGivesIt) {
  for (int64_t value : fill<int64_t>(draw_of(RandomKind::uniform, RandomType::int64, 7, 8), 100)) {
    EXPECT_EQ(value, 7);
  }
}

TEST(Random, NormalNumbersAreNormal) {
  const auto values =
      fill<float>(draw_of(RandomKind::normal, RandomType::fp32, bits_of(2), bits_of(3)));
  const Moments m = moments_of(values);
  EXPECT_NEAR(m.mean, 2, 0.03);
  EXPECT_NEAR(m.deviation, 3, 0.03);
  EXPECT_LT(distance_to(values, [](double x) { return normal_cdf((x - 2) / 3); }), 1.95);
}

TEST(Random, PairsOfNormalNumbersAreIndependent) {
  const auto values =
      fill<float>(draw_of(RandomKind::normal, RandomType::fp32, bits_of(0), bits_of(1)));
  double product = 0;
  double of_squares = 0;
  for (size_t i = 0; i + 1 < values.size(); i += 2) {
    product += static_cast<double>(values[i]) * values[i + 1];
    of_squares += (values[i] * values[i] - 1.0) * (values[i + 1] * values[i + 1] - 1.0);
  }
  EXPECT_NEAR(product / (kMany / 2), 0, 0.012);
  EXPECT_NEAR(of_squares / (kMany / 2), 0, 0.03);
}

TEST(Random, TruncatedNormalNumbersStayWithinTwoDeviations) {
  const auto values =
      fill<float>(draw_of(RandomKind::truncated_normal, RandomType::fp32, bits_of(10), bits_of(2)));
  EXPECT_GE(*std::min_element(values.begin(), values.end()), 6);
  EXPECT_LE(*std::max_element(values.begin(), values.end()), 14);
  const double low = normal_cdf(-2);
  EXPECT_LT(distance_to(values,
                        [&](double x) { return (normal_cdf((x - 10) / 2) - low) / (1 - 2 * low); }),
            1.95);
}

TEST(Random, MasksHaveTheRatioOfZerosAndNoBitBeyondTheEnd) {
  for (const float ratio : {0.0f, 0.1f, 0.5f, 0.9f, 1.0f}) {
    const auto mask =
        fill<uint8_t>(draw_of(RandomKind::dropout_mask, RandomType::fp32, bits_of(ratio), 0));
    uint64_t ones = 0;
    for (uint8_t byte : mask) {
      ones += static_cast<uint64_t>(std::popcount(byte));
    }
    const double spread = 4 * std::sqrt(ratio * (1 - ratio) * kMany);
    EXPECT_NEAR(static_cast<double>(ones), (1 - ratio) * kMany, spread) << ratio;
  }
  const auto short_mask =
      fill<uint8_t>(draw_of(RandomKind::dropout_mask, RandomType::fp16, fp16_of_float(0), 0), 11);
  EXPECT_EQ(short_mask, (std::vector<uint8_t>{0xFF, 0x07}));
}

TEST(Random, RefusesParametersThatNobodyCanDrawFrom) {
  const uint64_t nan = bits_of(std::numeric_limits<float>::quiet_NaN());
  const uint64_t infinite = bits_of(std::numeric_limits<float>::infinity());
  const RandomDraw wrong[] = {
      draw_of(RandomKind::dropout_mask, RandomType::fp32, bits_of(-0.1f), 0),
      draw_of(RandomKind::dropout_mask, RandomType::fp32, bits_of(1.1f), 0),
      draw_of(RandomKind::dropout_mask, RandomType::fp32, nan, 0),
      draw_of(RandomKind::uniform, RandomType::fp32, bits_of(1), bits_of(1)),
      draw_of(RandomKind::uniform, RandomType::fp32, bits_of(1), infinite),
      draw_of(RandomKind::uniform, RandomType::int32, 5, 5),
      draw_of(RandomKind::uniform, RandomType::int64, 5, static_cast<uint64_t>(-5)),
      draw_of(RandomKind::normal, RandomType::fp32, bits_of(0), bits_of(-1)),
      draw_of(RandomKind::normal, RandomType::fp32, nan, bits_of(1))};
  for (const RandomDraw& draw : wrong) {
    EXPECT_NE(refuse_parameters(draw), "");
  }
  EXPECT_EQ(refuse_parameters(
                draw_of(RandomKind::uniform, RandomType::uint64, 5, static_cast<uint64_t>(-5))),
            "");
}

}  // namespace
}  // namespace canopy
