#include "runtime/device/bulk_copy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

namespace canopy {
namespace {

std::vector<uint8_t> pattern(size_t bytes, uint32_t seed) {
  std::vector<uint8_t> data(bytes);
  for (size_t i = 0; i < bytes; ++i) {
    data[i] = static_cast<uint8_t>((i + seed) * 2654435761u >> 13);
  }
  return data;
}

TEST(BulkCopy, EveryWayCopiesEveryAlignmentAndLengthExactly) {
  bulk_detail::CopyWay ways[bulk_detail::kMostWays];
  const size_t count = bulk_detail::ways(ways);
  ASSERT_GE(count, 1u);
  const std::vector<uint8_t> source = pattern(5000, 1);
  for (size_t way = 0; way < count; ++way) {
    for (size_t to : {0, 1, 15, 63}) {
      for (size_t from : {0, 1, 33}) {
        for (size_t bytes : {0, 1, 63, 64, 65, 128, 1000, 4096}) {
          std::vector<uint8_t> target(5000, 0xEE);
          ways[way](target.data() + to, source.data() + from, bytes);
          std::vector<uint8_t> wanted(5000, 0xEE);
          std::memcpy(wanted.data() + to, source.data() + from, bytes);
          ASSERT_EQ(target, wanted)
              << "way " << way << " to " << to << " from " << from << " bytes " << bytes;
        }
      }
    }
  }
}

TEST(BulkCopy, StaysExactWhileWaysAreTriedByManyThreads) {
  constexpr size_t kBytes = (3 << 20) + 77;
  std::vector<std::jthread> threads;
  for (uint32_t seed = 0; seed < 3; ++seed) {
    threads.emplace_back([seed] {
      const std::vector<uint8_t> source = pattern(kBytes, seed);
      for (int round = 0; round < 6; ++round) {
        std::vector<uint8_t> target(kBytes);
        bulk_copy(target.data(), source.data(), kBytes);
        EXPECT_EQ(std::memcmp(target.data(), source.data(), kBytes), 0);
      }
    });
  }
}

TEST(BulkCopy, IsNotForWhatCachesHold) { EXPECT_GE(bulk_threshold(), size_t{4} << 20); }

TEST(BulkCopy, DoesNotBelieveInACacheForEverything) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "sanitizers know memcpy only";
#else
  EXPECT_LE(bulk_threshold(), size_t{32} << 20) << "64 MiB are copied in the fastest way wherever they lie";
#endif
}

}  // namespace
}  // namespace canopy
