#include "runtime/base/range_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace canopy {
namespace {

TEST(RangeAllocator, GivesOutAllOfItAndNoMore) {
  RangeAllocator ranges(64 * 16, 16);
  for (int i = 0; i < 64; ++i) {
    ASSERT_TRUE(ranges.allocate(1, 1)) << i;
  }
  EXPECT_FALSE(ranges.allocate(1, 1));
  EXPECT_EQ(ranges.free_bytes(), 0u);
}

TEST(RangeAllocator, RefusesNothingAndTooMuch) {
  RangeAllocator ranges(1024, 16);
  EXPECT_FALSE(ranges.allocate(0, 16));
  EXPECT_FALSE(ranges.allocate(1025, 16));
  EXPECT_FALSE(ranges.allocate(~uint64_t{0}, 16));
  EXPECT_TRUE(ranges.allocate(1024, 16));
}

TEST(RangeAllocator, RoundsAnUnevenSizeDown) {
  RangeAllocator ranges(1000, 64);
  EXPECT_EQ(ranges.free_bytes(), 960u);
}

TEST(RangeAllocator, FreesOnlyWhatItGaveOut) {
  RangeAllocator ranges(4096, 64);
  const auto at = ranges.allocate(256, 64);
  ASSERT_TRUE(at);
  EXPECT_FALSE(ranges.free(*at + 64));
  EXPECT_FALSE(ranges.free(4096));
  EXPECT_EQ(ranges.free(*at), 256u);
  EXPECT_FALSE(ranges.free(*at)) << "freed twice";
}

TEST(RangeAllocator, FindKnowsTheFirstAndTheLastByte) {
  RangeAllocator ranges(4096, 64);
  const uint64_t at = *ranges.allocate(100, 64);
  EXPECT_EQ(ranges.find(at), (std::pair<uint64_t, uint64_t>(at, 128)));
  EXPECT_EQ(ranges.find(at + 127), (std::pair<uint64_t, uint64_t>(at, 128)));
  EXPECT_EQ(ranges.find(at + 128), std::nullopt);
}

// A byte map of the whole: slow and obviously right.
class Model {
 public:
  explicit Model(uint64_t units) : used_(units, false) {}
  bool free(uint64_t at, uint64_t length) const {
    for (uint64_t i = at; i < at + length; ++i) {
      if (i >= used_.size() || used_[i]) {
        return false;
      }
    }
    return true;
  }
  bool has_room(uint64_t length, uint64_t alignment) const {
    for (uint64_t at = 0; at + length <= used_.size(); at += alignment) {
      if (free(at, length)) {
        return true;
      }
    }
    return false;
  }
  void mark(uint64_t at, uint64_t length, bool used) {
    std::fill_n(used_.begin() + static_cast<ptrdiff_t>(at), length, used);
  }

 private:
  std::vector<bool> used_;
};

TEST(RangeAllocator, AgreesWithAByteMapUnderRandomOperations) {
  constexpr uint64_t kUnit = 64;
  constexpr uint64_t kUnits = 512;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    RangeAllocator ranges(kUnits * kUnit, kUnit);
    Model model(kUnits);
    std::vector<std::pair<uint64_t, uint64_t>> live;  // in units
    std::mt19937_64 random(seed);
    uint64_t used = 0;
    for (int step = 0; step < 4'000; ++step) {
      if (random() % 5 < 3) {
        const uint64_t length = 1 + random() % (1ull << (random() % 8));
        const uint64_t alignment = 1ull << (random() % 6);
        const auto at = ranges.allocate(length * kUnit - random() % kUnit, alignment * kUnit);
        ASSERT_EQ(at.has_value(), model.has_room(length, alignment)) << "seed " << seed << " step " << step;
        if (at) {
          ASSERT_EQ(*at % (alignment * kUnit), 0u);
          ASSERT_TRUE(model.free(*at / kUnit, length));
          model.mark(*at / kUnit, length, true);
          live.emplace_back(*at / kUnit, length);
          used += length;
        }
      } else if (!live.empty()) {
        std::swap(live[random() % live.size()], live.back());
        const auto [at, length] = live.back();
        live.pop_back();
        ASSERT_EQ(ranges.free(at * kUnit), length * kUnit);
        model.mark(at, length, false);
        used -= length;
      }
      ASSERT_EQ(ranges.used_bytes(), used * kUnit);
      ASSERT_EQ(ranges.allocations(), live.size());
    }
    for (const auto& [at, length] : live) {
      ASSERT_TRUE(ranges.free(at * kUnit));
    }
    EXPECT_EQ(ranges.largest_free(), kUnits * kUnit) << "free neighbours were not joined";
  }
}

TEST(RangeAllocator, TheSameCallsGiveTheSameOffsets) {
  std::vector<uint64_t> offsets[2];
  for (auto& list : offsets) {
    RangeAllocator ranges(1 << 20, 64);
    std::mt19937_64 random(3);
    for (int i = 0; i < 500; ++i) {
      if (auto at = ranges.allocate(1 + random() % 5000, 64 << (random() % 4))) {
        list.push_back(*at);
        if (random() % 3 == 0) {
          ranges.free(list[random() % list.size()]);
        }
      }
    }
  }
  EXPECT_EQ(offsets[0], offsets[1]);
}

}  // namespace
}  // namespace canopy
