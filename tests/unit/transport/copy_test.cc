#include "transport/base/copy.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace canopy::transport {
namespace {

TEST(StreamingCopy, CopiesEverySizeAndAlignmentExactly) {
  std::vector<unsigned char> source(4096);
  std::iota(source.begin(), source.end(), 1);
  for (size_t nbytes : {0u, 1u, 63u, 64u, 65u, 1000u, 3000u}) {
    for (size_t from : {0u, 1u, 17u}) {
      for (size_t to : {0u, 5u, 63u}) {
        std::vector<unsigned char> target(4096, 0xEE);
        copy_detail::stream(target.data() + to, source.data() + from, nbytes);
        EXPECT_TRUE(
            std::equal(source.begin() + from, source.begin() + from + nbytes, target.begin() + to));
        EXPECT_EQ(target[to + nbytes], 0xEE);
        EXPECT_TRUE(to == 0 || target[to - 1] == 0xEE);
      }
    }
  }
}

TEST(StreamingCopy, IsOnlyUsedForSizesThatLeaveTheCache) {
  EXPECT_GE(streaming_threshold(), 1u << 20);
}

}  // namespace
}  // namespace canopy::transport
