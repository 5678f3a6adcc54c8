#include "shmem/world/findings.h"

#include "shmem/world/packing.h"

#include <gtest/gtest.h>

namespace canopy::shmem {
namespace {

TEST(Packing, KeepsNumbersOfEverySizeInAsFewBytesAsTheyNeed) {
  for (const uint64_t value :
       {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 35, ~uint64_t{0}}) {
    std::string out;
    pack_number(out, value);
    Unpacking in{out};
    EXPECT_EQ(in.number(), value);
    EXPECT_TRUE(in.ok && in.left.empty());
  }
  std::string small;
  pack_number(small, 127);
  EXPECT_EQ(small.size(), 1u);
}

TEST(Findings, ComeBackAsTheyWere) {
  Findings findings;
  findings.error = "no memory";
  findings.missed = {3, 1000};
  findings.transport_address = std::string("a\0b", 3);
  findings.watch_address = "h0 7";
  const auto back = Findings::unpack(findings.pack(), 1);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->error, findings.error);
  EXPECT_EQ(back->missed, findings.missed);
  EXPECT_EQ(back->transport_address, findings.transport_address);
  EXPECT_EQ(back->watch_address, findings.watch_address);
}

TEST(Findings, AreSmallWhenThereIsNothingToTell) { EXPECT_LE(Findings().pack().size(), 4u); }

TEST(Findings, RefuseEveryTruncationAndNameThePe) {
  Findings findings;
  findings.missed = {3};
  findings.transport_address = "address";
  const std::string whole = findings.pack();
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(Findings::unpack(std::string_view(whole).substr(0, length), 5)) << length;
  }
  EXPECT_FALSE(Findings::unpack(fmt::format("{}x", whole), 5));
  EXPECT_NE(error_text::newest().find("PE 5"), std::string::npos);
}

}  // namespace
}  // namespace canopy::shmem
