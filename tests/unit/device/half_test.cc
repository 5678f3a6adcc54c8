#include "runtime/device/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace canopy {
namespace {

// The value of the format's definition, not of its bits.
double fp16_by_definition(uint16_t bits) {
  const int exponent = bits >> 10 & 0x1F;
  const int fraction = bits & 0x3FF;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

bool fp16_is_finite(uint32_t bits) { return (bits & 0x7C00) != 0x7C00; }

TEST(Half, EveryFiniteFp16IsItsDefinitionAndComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    if (fp16_is_finite(half)) {
      ASSERT_EQ(float_of_fp16(half), fp16_by_definition(half)) << bits;
      ASSERT_EQ(fp16_of_float(float_of_fp16(half)), half) << bits;
    }
  }
}

TEST(Half, BetweenTwoFp16TheNearerIsTakenAndTheEvenOneInTheMiddle) {
  for (uint16_t low = 0; low < 0x7BFF; ++low) {
    const double a = fp16_by_definition(low);
    const double b = fp16_by_definition(static_cast<uint16_t>(low + 1));
    const auto middle = static_cast<float>((a + b) / 2);  // exact in a float
    ASSERT_EQ(fp16_of_float(middle), low % 2 == 0 ? low : low + 1) << low;
    ASSERT_EQ(fp16_of_float(std::nextafter(middle, 0.0f)), low) << low;
    ASSERT_EQ(fp16_of_float(std::nextafter(middle, 1e9f)), low + 1) << low;
  }
}

TEST(Half, Fp16OverflowsToInfinityFromTheMiddleOn) {
  EXPECT_EQ(fp16_of_float(65519.99f), 0x7BFF);
  EXPECT_EQ(fp16_of_float(65520.0f), 0x7C00);
  EXPECT_EQ(fp16_of_float(-1e30f), 0xFC00);
  EXPECT_EQ(fp16_of_float(std::numeric_limits<float>::infinity()), 0x7C00);
  EXPECT_TRUE(std::isinf(float_of_fp16(0x7C00)));
}

TEST(Half, NanStaysNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(float_of_fp16(fp16_of_float(nan))));
  EXPECT_TRUE(std::isnan(float_of_bf16(bf16_of_float(nan))));
  EXPECT_TRUE(std::isnan(float_of_bf16(bf16_of_float(std::bit_cast<float>(0x7F800001u)))));
}

TEST(Half, Bf16RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(bf16_of_float(std::bit_cast<float>(0x3F808000u)), 0x3F80);
  EXPECT_EQ(bf16_of_float(std::bit_cast<float>(0x3F818000u)), 0x3F82);
  EXPECT_EQ(bf16_of_float(std::bit_cast<float>(0x3F808001u)), 0x3F81);
  EXPECT_EQ(bf16_of_float(std::bit_cast<float>(0x3F807FFFu)), 0x3F80);
  for (uint32_t bits = 0; bits <= 0x7F80; ++bits) {
    ASSERT_EQ(bf16_of_float(float_of_bf16(static_cast<uint16_t>(bits))), bits);
  }
}

}  // namespace
}  // namespace canopy
