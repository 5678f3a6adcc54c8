#include "runtime/base/bulk_copy.h"

#include <gtest/gtest.h>

#include <algorithm>
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
  constexpr size_t kRoom = 40'000;
  const std::vector<uint8_t> source = pattern(kRoom, 1);
  for (size_t way = 0; way < count; ++way) {
    for (size_t to : {0, 1, 15, 63}) {
      for (size_t from : {0, 1, 33}) {
        for (size_t bytes : {0, 1, 63, 64, 65, 128, 1000, 4096, 16384, 37777}) {
          std::vector<uint8_t> target(kRoom, 0xEE);
          ways[way](target.data() + to, source.data() + from, bytes);
          std::vector<uint8_t> wanted(kRoom, 0xEE);
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
      for (int round = 0; round < 12; ++round) {
        std::vector<uint8_t> target(kBytes);
        bulk_copy(target.data(), source.data(), kBytes);
        EXPECT_EQ(std::memcmp(target.data(), source.data(), kBytes), 0);
        std::fill(target.begin(), target.end(), 0);
        copy_to_other_core(target.data(), source.data(), kBytes);
        EXPECT_EQ(std::memcmp(target.data(), source.data(), kBytes), 0);
      }
    });
  }
}

TEST(BulkCopy, CopiesEverySizeExactlyAlsoWhileWaysAreTried) {
  const size_t most = 2 * bulk_threshold();
  const std::vector<uint8_t> source = pattern(most + 64, 3);
  std::vector<uint8_t> target(most + 64);
  for (size_t bytes = 1; bytes <= most; bytes *= 2) {
    for (int round = 0; round < 26; ++round) {
      const size_t exact = bytes + static_cast<size_t>(round) % 3;
      target[exact] = 0xEE;
      bulk_copy(target.data(), source.data() + round % 7, exact);
      ASSERT_EQ(std::memcmp(target.data(), source.data() + round % 7, exact), 0) << exact;
      ASSERT_EQ(target[exact], 0xEE) << exact;
    }
  }
  bulk_copy(target.data(), target.data(), most);  // the same range
  EXPECT_EQ(std::memcmp(target.data(), source.data() + 25 % 7, most), 0);
}

TEST(BulkCopy, IsNotForWhatCachesHold) { EXPECT_GE(bulk_threshold(), size_t{4} << 20); }

TEST(BulkCopy, DoesNotBelieveInACacheForEverything) {
  EXPECT_LE(bulk_threshold(), size_t{16} << 20) << "64 MiB are copied in the fastest way wherever they lie";
}

}  // namespace
}  // namespace canopy
