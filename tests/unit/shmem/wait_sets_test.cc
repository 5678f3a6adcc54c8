#include "shmem/sync/wait_sets.h"

#include "shmem/amo/amo.h"
#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

namespace canopy::shmem {
namespace {

using test::thread_world;

int* symmetric(World& world, size_t count) {
  return static_cast<int*>(world.host_heap().allocate_zeroed(count, sizeof(int)));
}

Words<int> words_of(const int* ivars, size_t nelems, const int* status, const int& value) {
  return {ivars, nelems, status, Compare::eq, &value, true};
}

TEST(WaitSets, AnswerAtOnceForAnEmptySet) {
  thread_world(1, [](World& world) {
    int* ivars = symmetric(world, 3);
    const std::array<int, 3> excluded{1, -1, 7};
    const int never = 5;
    size_t indices[3];
    for (const Words<int>& words :
         {words_of(ivars, 3, excluded.data(), never), words_of(nullptr, 0, nullptr, never)}) {
      wait_all_of(words, "all");
      EXPECT_EQ(wait_any_of(words, "any"), SIZE_MAX);
      EXPECT_EQ(wait_some_of(words, indices, "some"), 0u);
      EXPECT_EQ(test_all_of(words), 1);
      EXPECT_EQ(test_any_of(words), SIZE_MAX);
      EXPECT_EQ(test_some_of(words, indices), 0u);
    }
  });
}

TEST(WaitSets, KeepIndicesAndLeaveOutWhatTakesNoPart) {
  thread_world(1, [](World& world) {
    int* ivars = symmetric(world, 4);
    const std::array<int, 4> values{0, 0, 9, 0};
    const std::array<int, 4> status{1, 0, 0, 0};
    const Words<int> words{ivars, 4, status.data(), Compare::eq, values.data(), false};
    size_t indices[4];
    EXPECT_EQ(test_all_of(words), 0);
    ASSERT_EQ(wait_some_of(words, indices, "some"), 2u);
    EXPECT_EQ(std::set<size_t>(indices, indices + 2), (std::set<size_t>{1, 3}));
    ivars[2] = 9;
    EXPECT_EQ(test_all_of(words), 1);
    ivars[0] = 1;  // excluded
    EXPECT_EQ(test_all_of(words), 1);
    wait_all_of(words, "all");
  });
}

TEST(WaitSets, ReportEveryElementThatStaysSatisfied) {
  thread_world(1, [](World& world) {
    int* ivars = symmetric(world, 5);
    const int zero = 0;
    const Words<int> words = words_of(ivars, 5, nullptr, zero);
    std::set<size_t> reported;
    for (int i = 0; i < 5; ++i) {
      reported.insert(wait_any_of(words, "any"));
      reported.insert(test_any_of(words));
    }
    EXPECT_EQ(reported.size(), 5u);
  });
}

TEST(WaitSets, WakeWhenAnotherPeCompletesThem) {
  thread_world(3, [](World& world) {
    int* ivars = symmetric(world, 3);
    constexpr int kRounds = 20;
    for (int round = 1; round <= kRounds; ++round) {
      for (int pe = 0; pe < 3; ++pe) {
        amo_fetch_add<FromHost>(ivars + world.my_pe(), 1, pe, "add");
      }
      const Words<int> words{ivars, 3, nullptr, Compare::ge, &round, true};
      size_t indices[3];
      EXPECT_NE(wait_any_of(words, "any"), SIZE_MAX);
      EXPECT_GE(wait_some_of(words, indices, "some"), 1u);
      wait_all_of(words, "all");
      EXPECT_EQ(test_all_of(words), 1);
      EXPECT_EQ(test_some_of(words, indices), 3u);
      world.barrier_all();
    }
  });
}

}  // namespace
}  // namespace canopy::shmem
