#include "runtime/base/ring.h"

#include <gtest/gtest.h>

#include <sched.h>

#include <deque>
#include <random>
#include <thread>

namespace canopy {
namespace {

TEST(SpscRing, ReserveFailsWhenFullAndWorksAgainAfterAPop) {
  SpscRing<int> ring(4);
  for (int i = 0; i < 4; ++i) {
    ASSERT_NE(ring.reserve(), nullptr);
    *ring.reserve() = i;
    ring.publish();
  }
  EXPECT_EQ(ring.reserve(), nullptr);
  EXPECT_EQ(ring.size(), 4u);
  EXPECT_EQ(*ring.front(), 0);
  ring.pop();
  EXPECT_NE(ring.reserve(), nullptr);
}

TEST(SpscRing, FrontOfAnEmptyRingIsNull) {
  SpscRing<int> ring(2);
  EXPECT_EQ(ring.front(), nullptr);
  *ring.reserve() = 7;
  EXPECT_EQ(ring.front(), nullptr) << "a reserved entry is not published yet";
  ring.publish();
  EXPECT_EQ(*ring.front(), 7);
  ring.pop();
  EXPECT_EQ(ring.front(), nullptr);
}

TEST(SpscRing, RefusesASizeThatIsNoPowerOfTwo) {
  EXPECT_DEATH(SpscRing<int>(12), "power of two");
}

class SpscRingModel : public testing::TestWithParam<uint32_t> {};

TEST_P(SpscRingModel, AgreesWithADequeUnderRandomOperations) {
  for (uint32_t entries : {1u, 2u, 8u, 64u}) {
    SpscRing<uint64_t> ring(entries, GetParam());
    std::deque<uint64_t> model;
    std::mt19937_64 random(GetParam() + entries);
    for (uint64_t step = 0; step < 20'000; ++step) {
      if (random() % 2 == 0) {
        uint64_t* slot = ring.reserve();
        ASSERT_EQ(slot == nullptr, model.size() == entries);
        if (slot != nullptr) {
          *slot = step;
          ring.publish();
          model.push_back(step);
        }
      } else {
        const uint64_t* oldest = ring.front();
        ASSERT_EQ(oldest == nullptr, model.empty());
        if (oldest != nullptr) {
          ASSERT_EQ(*oldest, model.front());
          ring.pop();
          model.pop_front();
        }
      }
      ASSERT_EQ(ring.size(), model.size());
    }
  }
}
// 2^32 - 7: the indices wrap inside the test.
INSTANTIATE_TEST_SUITE_P(FirstIndex, SpscRingModel, testing::Values(0u, 5u, 0xFFFFFFF9u, 0x7FFFFFFEu));

TEST(SpscRing, CarriesEveryEntryInOrderBetweenTwoThreadsAcrossTheWrap) {
  constexpr uint64_t kCount = 1'000'000;
  SpscRing<uint64_t> ring(256, 0xFFFFFFFFu - 300'000);
  std::jthread producer([&] {
    for (uint64_t i = 0; i < kCount;) {
      if (uint64_t* slot = ring.reserve()) {
        *slot = i++;
        ring.publish();
      } else {
        ::sched_yield();
      }
    }
  });
  for (uint64_t expected = 0; expected < kCount;) {
    if (const uint64_t* oldest = ring.front()) {
      ASSERT_EQ(*oldest, expected);
      ring.pop();
      ++expected;
    } else {
      ::sched_yield();
    }
  }
}

}  // namespace
}  // namespace canopy
