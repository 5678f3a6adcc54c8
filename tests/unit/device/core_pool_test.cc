#include "runtime/device/core_pool.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace canopy {
namespace {

class CorePoolOf : public testing::TestWithParam<uint32_t> {};

TEST_P(CorePoolOf, GivesEveryCoreOutOnceAndNoMore) {
  CorePool pool(GetParam());
  std::set<int> cores;
  for (uint32_t i = 0; i < GetParam(); ++i) {
    const int core = pool.acquire();
    ASSERT_GE(core, 0);
    ASSERT_LT(core, static_cast<int>(GetParam()));
    ASSERT_TRUE(cores.insert(core).second);
  }
  EXPECT_EQ(pool.acquire(), -1);
  EXPECT_FALSE(pool.any_free());
  for (int core : cores) {
    pool.release(core);
    EXPECT_TRUE(pool.any_free());
    EXPECT_EQ(pool.acquire(), core);
  }
}
INSTANTIATE_TEST_SUITE_P(Sizes, CorePoolOf, testing::Values(1u, 2u, 3u, 48u, 63u, 64u, 65u, 128u, 200u));

TEST(CorePool, WithoutCoresNothingIsFree) {
  CorePool pool(0);
  EXPECT_FALSE(pool.any_free());
  EXPECT_EQ(pool.acquire(), -1);
}

TEST(CorePool, PrefersTheLowestFreeCore) {
  CorePool pool(100);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(pool.acquire(), i);
  }
  pool.release(70);
  pool.release(3);
  EXPECT_EQ(pool.acquire(), 3);
  EXPECT_EQ(pool.acquire(), 70);
}

TEST(CoreHand, KeepsTheCoreThatABlockHasLeft) {
  CorePool pool(2);
  CorePool other(1);
  CoreHand hand(0);
  const int core = hand.take(pool);
  hand.put(pool, core);
  EXPECT_TRUE(pool.taken(static_cast<uint32_t>(core)));
  EXPECT_EQ(hand.take(pool), core);
  hand.put(pool, core);
  EXPECT_EQ(hand.take(other), 0) << "one of another kind";
  EXPECT_EQ(pool.free_count(), 2u) << "the first one is back";
  const int first = hand.take(pool);
  const int second = hand.take(pool);
  EXPECT_NE(first, second);
  hand.put(pool, first);
  hand.put(pool, second);
  EXPECT_EQ(pool.free_count(), 1u) << "one is kept, not two";
  hand.give_back();
  hand.give_back();
  EXPECT_EQ(pool.free_count(), 2u);
}

// Others of the user can write where the groups lie (engine_stats.h).
TEST(CorePool, NeverGivesACoreThatIsNone) {
  const CoreGroups layout = CoreGroups::of(6, 2);
  std::vector<CoreGroup> place(layout.groups);
  CorePool pool(layout, place.data());
  for (int taken = 0; taken < 6; ++taken) {
    ASSERT_GE(pool.acquire(), 0);
  }
  for (CoreGroup& group : place) {
    group.bits = ~0ull;
  }
  for (int again = 0; again < 6; ++again) {
    const int core = pool.acquire();
    EXPECT_GE(core, 0);
    EXPECT_LT(core, 6);
  }
  EXPECT_EQ(pool.acquire(), -1);
}

TEST(CorePool, NoCoreHasTwoHolders) {
  CorePool pool(70);
  std::vector<uint64_t> held(70, 0);  // plain: ThreadSanitizer sees a second holder, too
  std::atomic<uint64_t> wrong{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        const int core = pool.acquire();
        if (core < 0) {
          wrong.fetch_add(1);
          continue;
        }
        uint64_t& holders = held[static_cast<size_t>(core)];
        if (++holders != 1) {
          wrong.fetch_add(1);
        }
        --holders;
        pool.release(core);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong.load(), 0u);
}

}  // namespace
}  // namespace canopy
