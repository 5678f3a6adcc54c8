#include "shmem/amo/amo.h"

#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <limits>

namespace canopy::shmem {
namespace {

using test::thread_world;

template <class T>
T* symmetric(World& world) {
  return static_cast<T*>(world.host_heap().allocate_zeroed(1, sizeof(T)));
}

class AmoOfPes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, AmoOfPes, testing::Values(2, 3, 4));

TEST_P(AmoOfPes, LosesNoUpdateWhenAllAddToOneWord) {
  thread_world(GetParam(), [](World& world) {
    constexpr int kRounds = 2000;
    auto* sum = symmetric<int>(world);
    auto* swaps = symmetric<uint64_t>(world);
    for (int i = 0; i < kRounds; ++i) {
      amo_fetch_add<FromHost>(sum, 1, 0, "add");
      uint64_t seen = amo_fetch<FromHost>(swaps, 0, "fetch");
      for (;;) {
        const uint64_t old = amo_compare_swap<FromHost>(swaps, seen, seen + 1, 0, "cswap");
        if (old == seen) {
          break;
        }
        seen = old;
      }
    }
    world.barrier_all();
    EXPECT_EQ(amo_fetch<FromHost>(sum, 0, "fetch"), kRounds * world.n_pes());
    EXPECT_EQ(amo_fetch<FromHost>(swaps, 0, "fetch"),
              static_cast<uint64_t>(kRounds * world.n_pes()));
  });
}

TEST(Amo, WrapsSignedValuesAndReturnsTheOldOne) {
  thread_world(1, [](World& world) {
    auto* word = symmetric<int>(world);
    amo_set<FromHost>(word, std::numeric_limits<int>::max(), 0, "set");
    EXPECT_EQ(amo_fetch_add<FromHost>(word, 1, 0, "add"), std::numeric_limits<int>::max());
    EXPECT_EQ(amo_swap<FromHost>(word, 5, 0, "swap"), std::numeric_limits<int>::min());
    EXPECT_EQ(amo_fetch_or<FromHost>(word, 2, 0, "or"), 5);
    EXPECT_EQ(amo_fetch_and<FromHost>(word, 6, 0, "and"), 7);
    EXPECT_EQ(amo_fetch_xor<FromHost>(word, 3, 0, "xor"), 6);
    EXPECT_EQ(amo_fetch<FromHost>(word, 0, "fetch"), 5);
    auto* real = symmetric<double>(world);
    amo_set<FromHost>(real, 1.5, 0, "set");
    EXPECT_EQ(amo_swap<FromHost>(real, 2.5, 0, "swap"), 1.5);
  });
}

}  // namespace
}  // namespace canopy::shmem
