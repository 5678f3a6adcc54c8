#include "shmem/debug/global_symbols.h"

#include <gtest/gtest.h>

namespace canopy::shmem {

// With names that a linker sees, and used, so that they stay.
long known_counts[5] = {1, 2, 3, 4, 5};
static long known_beside = 1;

namespace {

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

TEST(GlobalSymbols, HoldAnAddressFromTheFirstByteToTheLast) {
  const GlobalSymbols symbols({{200, 10, "second"}, {100, 40, "first"}});
  EXPECT_EQ(symbols.holding(99), nullptr);
  ASSERT_NE(symbols.holding(100), nullptr);
  EXPECT_EQ(symbols.holding(100)->name, "first");
  EXPECT_EQ(symbols.holding(139)->name, "first");
  EXPECT_EQ(symbols.holding(140), nullptr);
  EXPECT_EQ(symbols.holding(209)->name, "second");
  EXPECT_EQ(symbols.holding(210), nullptr);
  EXPECT_EQ(GlobalSymbols().holding(100), nullptr);
}

TEST(GlobalSymbols, LeaveOutWhatLiesWithinAnother) {
  const GlobalSymbols symbols({{100, 8, "alias"}, {100, 40, "whole"}, {120, 8, "part"}});
  EXPECT_EQ(symbols.holding(100)->name, "whole");
  EXPECT_EQ(symbols.holding(124)->name, "whole");
  EXPECT_EQ(symbols.holding(135)->name, "whole");
}

TEST(GlobalSymbols, SayNameAndSizeAsTheProgramHasThem) {
  EXPECT_EQ((GlobalSymbols::Symbol{0x1000, 40, "counts"}.text()), "the global 'counts' of 40 bytes at 0x1000");
  EXPECT_EQ((GlobalSymbols::Symbol{0x1000, 40, "_ZN3app6countsE"}.text()), "the global 'app::counts' of 40 bytes at 0x1000");
}

TEST(GlobalSymbols, AreReadFromThisProgram) {
  known_counts[0] += known_beside;
  const uintptr_t begin = number(known_counts);
  const auto symbols = GlobalSymbols::of_program(begin - 4096, 1 << 20);
  const auto* found = symbols.holding(number(&known_counts[4]));
  if (found == nullptr) {
    GTEST_SKIP() << "this program is stripped";
  }
  EXPECT_EQ(found->begin, begin);
  EXPECT_EQ(found->bytes, sizeof known_counts);
  EXPECT_NE(found->text().find("'canopy::shmem::known_counts' of 40 bytes"), std::string::npos) << found->text();
  EXPECT_EQ(GlobalSymbols::of_program(begin, 39).holding(begin), nullptr) << "it does not lie in there";
}

}  // namespace
}  // namespace canopy::shmem
