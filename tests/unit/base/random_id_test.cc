#include "runtime/base/random_id.h"

#include <gtest/gtest.h>

#include <set>

namespace canopy {
namespace {

TEST(RandomId, DoesNotRepeat) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_TRUE(seen.insert(random_id()).second);
  }
}

TEST(RandomId, UsesEveryBit) {
  uint64_t ones = 0;
  uint64_t zeros = 0;
  for (int i = 0; i < 1'000; ++i) {
    const uint64_t value = random_id();
    ones |= value;
    zeros |= ~value;
  }
  EXPECT_EQ(ones, ~uint64_t{0});
  EXPECT_EQ(zeros, ~uint64_t{0});
}

TEST(RandomHex128, IsThirtyTwoHexadecimalDigits) {
  for (int i = 0; i < 100; ++i) {
    const std::string text = random_hex128();
    EXPECT_EQ(text.size(), 32u);
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace canopy
