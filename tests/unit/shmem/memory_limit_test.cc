#include "shmem/world/memory_limit.h"

#include <gtest/gtest.h>

namespace canopy::shmem {
namespace {

TEST(SymmetricSize, ReadsWhatTheSpecificationWrites) {
  // "3.1M" is 3250586 bytes: at least ceil(number x factor) (OpenSHMEM 1.6, section 8).
  EXPECT_EQ(parse_symmetric_size("3.1M"), 3250586u);
  EXPECT_EQ(parse_symmetric_size(".5m"), 512u << 10);
  EXPECT_EQ(parse_symmetric_size("0.5m"), 512u << 10);
  EXPECT_EQ(parse_symmetric_size("20kk"), 20u << 10);
  EXPECT_EQ(parse_symmetric_size("1G"), 1u << 30);
  EXPECT_EQ(parse_symmetric_size("2t"), 2ull << 40);
  EXPECT_EQ(parse_symmetric_size("4096"), 4096u);
  EXPECT_EQ(parse_symmetric_size("0"), 0u);
}

TEST(SymmetricSize, RefusesWhatIsMalformed) {
  for (const char* text :
       {"", "-1", "-5m", "x", "m", "12q", "nan", "inf", "1e30t", "99999999999999t"}) {
    EXPECT_FALSE(parse_symmetric_size(text)) << text;
  }
}

TEST(HeapFits, SaysWhatIsNeededAndWhatIsThere) {
  EXPECT_TRUE(check_heap_fits(1u << 20, 4, 0, "test"));
  ASSERT_FALSE(check_heap_fits(1ull << 50, 4, 3, "SHMEM_SYMMETRIC_SIZE"));
  const std::string text = error_text::newest();
  EXPECT_NE(text.find("pe 3"), std::string::npos);
  EXPECT_NE(text.find("4 PEs"), std::string::npos);
  EXPECT_NE(text.find("SHMEM_SYMMETRIC_SIZE"), std::string::npos);
  EXPECT_NE(text.find("are available"), std::string::npos);
}

}  // namespace
}  // namespace canopy::shmem
