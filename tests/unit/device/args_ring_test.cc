#include "runtime/device/args_ring.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <random>

namespace canopy {
namespace {

TEST(ArgsRing, GivesAlignedMemory) {
  ArgsRing ring;
  uint64_t end = 0;
  for (size_t bytes : {1, 16, 17, 100, 4096}) {
    std::byte* memory = ring.take(bytes, &end);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 16, 0u) << bytes;
  }
}

TEST(ArgsRing, IsFullUntilTheOldestIsFreed) {
  ArgsRing ring;
  std::deque<uint64_t> ends;
  uint64_t end = 0;
  while (ring.take(1024, &end) != nullptr) {
    ends.push_back(end);
    ASSERT_LT(ends.size(), 100'000u);
  }
  ASSERT_FALSE(ends.empty());
  EXPECT_EQ(ring.take(1024, &end), nullptr);
  ring.free_to(ends.front());
  EXPECT_NE(ring.take(1024, &end), nullptr);
}

TEST(ArgsRing, WhatFitsAlwaysGetsRoomInAnEmptyRingWhereverItStands) {
  size_t largest = 0;
  while (ArgsRing::fits(largest + 1)) {
    ++largest;
  }
  EXPECT_GE(largest, 64u << 10);
  ArgsRing ring;
  std::mt19937 random(1);
  for (int i = 0; i < 2'000; ++i) {
    uint64_t end = 0;
    ASSERT_NE(ring.take(1 + random() % 5000, &end), nullptr);
    ring.free_to(end);
    ASSERT_NE(ring.take(largest, &end), nullptr) << "round " << i;
    ring.free_to(end);
  }
}

TEST(ArgsRing, DoesNotClaimToFitWhatItNeverGives) {
  ArgsRing ring;
  uint64_t end = 0;
  for (size_t bytes = 100 << 10; bytes < 300 << 10; bytes += 1000) {
    ring.free_to(end);
    if (!ArgsRing::fits(bytes)) {
      EXPECT_EQ(ring.take(bytes, &end), nullptr) << bytes;
    }
  }
}

TEST(ArgsRing, AgreesWithAModelUnderRandomOperations) {
  ArgsRing ring;
  struct Taken {
    std::byte* memory;
    size_t bytes;
    uint64_t end;
    uint8_t mark;
  };
  std::deque<Taken> live;
  std::mt19937 random(2);
  size_t refused = 0;
  for (uint32_t step = 0; step < 60'000; ++step) {
    if (random() % 2 == 0) {
      const size_t bytes = 1 + random() % (random() % 16 == 0 ? 60'000 : 300);
      uint64_t end = 0;
      std::byte* memory = ring.take(bytes, &end);
      if (memory == nullptr) {
        ++refused;
        ASSERT_FALSE(live.empty()) << "an empty ring has room";
      } else {
        std::memset(memory, static_cast<int>(step & 0xFF), bytes);
        live.push_back({memory, bytes, end, static_cast<uint8_t>(step)});
      }
    }
    if (random() % 3 == 0 && !live.empty()) {
      const Taken& oldest = live.front();
      for (size_t i = 0; i < oldest.bytes; ++i) {
        ASSERT_EQ(oldest.memory[i], std::byte{oldest.mark}) << "overwritten while in use";
      }
      ring.free_to(oldest.end);
      live.pop_front();
    }
  }
  EXPECT_GT(refused, 0u) << "the ring was never full: the test is too tame";
}

}  // namespace
}  // namespace canopy
