#include "runtime/base/env.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace canopy::env {
namespace {

// Sets one variable for the length of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }

 private:
  const char* name_;
};

constexpr const char* kName = "CANOPY_ENV_TEST";

TEST(ParseBytes, ReadsPlainNumbersAndBinarySuffixes) {
  EXPECT_EQ(parse_bytes("0"), 0u);
  EXPECT_EQ(parse_bytes("4096"), 4096u);
  EXPECT_EQ(parse_bytes("1K"), 1024u);
  EXPECT_EQ(parse_bytes("3m"), 3u << 20);
  EXPECT_EQ(parse_bytes("2G"), uint64_t{2} << 30);
  EXPECT_EQ(parse_bytes("1T"), uint64_t{1} << 40);
  EXPECT_EQ(parse_bytes("2KB"), 2048u);
  EXPECT_EQ(parse_bytes("2KiB"), 2048u);
  EXPECT_EQ(parse_bytes("1.5G"), uint64_t{3} << 29);
}

TEST(ParseBytes, RefusesJunk) {
  for (const char* junk : {"", "K", "abc", "12X", "1 G", " 1", "1Kx", "1KBB", "-1", "-1K", "nan", "inf",
                           "1e400", "0x10", "1,5G", "9223372036854775808", "8388608T"}) {
    EXPECT_EQ(parse_bytes(junk), std::nullopt) << "'" << junk << "'";
  }
}

TEST(ParseBytes, KeepsEveryBitOfALargeInteger) {
  EXPECT_EQ(parse_bytes("9007199254740993"), 9007199254740993u);  // 2^53 + 1
  EXPECT_EQ(parse_bytes("9223372036854775807"), 9223372036854775807u);
}

TEST(Bytes, TreatsAnUnsetEmptyOrWrongValueAsAbsent) {
  EXPECT_EQ(bytes("CANOPY_ENV_TEST_UNSET"), std::nullopt);
  {
    Variable variable(kName, "");
    EXPECT_EQ(bytes(kName), std::nullopt);
  }
  Variable variable(kName, "much");
  EXPECT_EQ(bytes(kName), std::nullopt);
}

TEST(Integer, ReadsSignedDecimals) {
  Variable variable(kName, "-42");
  EXPECT_EQ(integer(kName), -42);
}

TEST(Integer, RefusesWhatIsNotWhollyADecimal) {
  for (const char* junk : {"1.5", "1x", "x", " 1", "0x1", "9223372036854775808", "1 "}) {
    Variable variable(kName, junk);
    EXPECT_EQ(integer(kName), std::nullopt) << "'" << junk << "'";
  }
}

TEST(Integer, AWrongValueIsReportedOnce) {
  ::setenv(kName, "twelve-once", 1);
  testing::internal::CaptureStderr();
  EXPECT_EQ(integer(kName), std::nullopt);
  EXPECT_EQ(integer(kName), std::nullopt);
  const std::string said = testing::internal::GetCapturedStderr();
  const size_t first = said.find("twelve-once");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(said.find("twelve-once", first + 1), std::string::npos) << said;
  ::unsetenv(kName);
}

TEST(Flag, KnowsTheFourSpellings) {
  for (const char* on : {"1", "true", "yes", "on"}) {
    Variable variable(kName, on);
    EXPECT_TRUE(flag(kName, false)) << on;
  }
  for (const char* off : {"0", "false", "no", "off"}) {
    Variable variable(kName, off);
    EXPECT_FALSE(flag(kName, true)) << off;
  }
}

TEST(Flag, FallsBackOnAnythingElse) {
  Variable variable(kName, "perhaps");
  EXPECT_TRUE(flag(kName, true));
  EXPECT_FALSE(flag(kName, false));
}

TEST(LocalRanks, TakesTheLaunchersWordAndIgnoresNonsense) {
  {
    Variable size("CANOPY_LOCAL_SIZE", "4");
    Variable rank("CANOPY_LOCAL_RANK", "3");
    EXPECT_EQ(local_ranks(), 4);
    EXPECT_EQ(local_rank(), 3);
  }
  Variable size("CANOPY_LOCAL_SIZE", "-4");
  EXPECT_EQ(local_ranks(), 1);
  EXPECT_EQ(local_rank(), 0);
}

TEST(RanksOnMachine, CountsThoseOfFakeHostsThatShareItsCores) {
  Variable size("CANOPY_LOCAL_SIZE", "4");
  EXPECT_EQ(ranks_on_machine(), 4);
  {
    Variable hosts("CANOPY_CLUSTER_HOSTS", "3");
    EXPECT_EQ(ranks_on_machine(), 12);
  }
  Variable nonsense("CANOPY_CLUSTER_HOSTS", "0");
  EXPECT_EQ(ranks_on_machine(), 4);
}

}  // namespace
}  // namespace canopy::env
