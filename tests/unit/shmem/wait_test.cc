#include "shmem/sync/wait.h"

#include "shmem/rma/rma.h"
#include "shmem/sync/compare.h"
#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <sched.h>

#include <cstdlib>

namespace canopy::shmem {
namespace {

using test::thread_world;

long* symmetric_long(World& world) {
  return static_cast<long*>(world.host_heap().allocate_zeroed(1, sizeof(long)));
}

TEST(Compare, HasAllSixOperatorsInTheTypeOfTheWord) {
  EXPECT_TRUE(holds(-1, Compare::lt, 0));
  EXPECT_FALSE(holds(~0u, Compare::lt, 0u));
  EXPECT_TRUE(holds(3, Compare::eq, 3) && holds(3, Compare::ne, 4) && holds(3, Compare::le, 3));
  EXPECT_TRUE(holds(3, Compare::ge, 3) && holds(4, Compare::gt, 3) && !holds(3, Compare::gt, 3));
}

// The sleeper must have gone to sleep before the store comes: watched through its bell.
template <class Store>
void wake_a_sleeper(Store&& store) {
  thread_world(2, [&](World& world) {
    long* word = symmetric_long(world);
    if (world.my_pe() == 0) {
      EXPECT_EQ(wait_until<FromHost>(word, Compare::ge, 4L, "wait"), 4);
    } else {
      while (load_acquire(&world.control(0).bell.sleepers) == 0) {
        sched_yield();
      }
      store(world, word);
    }
    world.sync();
  });
}

TEST(Wait, IsWokenFromSleepByAPut) {
  wake_a_sleeper([](World&, long* word) { p<FromHost>(word, 4L, 0, "p"); });
}

TEST(Wait, IsWokenFromSleepBySignalsAndBulkPuts) {
  wake_a_sleeper(
      [](World&, long* word) { signal_op<FromHost>(word, 4L, SignalChange::add, 0, "op"); });
#if !defined(__SANITIZE_THREAD__)  // a word both copied and polled is a race by the letter
  wake_a_sleeper([](World&, long* word) {
    const long four = 4;
    put<FromHost, 8>(word, &four, 1, 0, "put");
  });
#endif
}

TEST(Wait, NoticesAPlainStoreThatRingsNoBell) {
  wake_a_sleeper([](World& world, long* word) {
    if (world.far() != nullptr) {
      p<FromHost>(word, 4L, 0, "p");
      GTEST_SKIP() << "PE 0 is not within reach of plain stores";
    }
    auto* there = reinterpret_cast<long*>(translate<8>(world.hot(), word, 1, 0).at);
    store_release(there, 4L);
  });
}

TEST(WaitDeathTest, SaysWhoWaitsForWhatAtTheDeadline) {
  const auto run = [] {
    ::setenv("CANOPY_TIMEOUT", "1", 1);
    thread_world(1, [](World& world) {
      wait_until<FromHost>(symmetric_long(world), Compare::ge, 4L, "shmem_long_wait_until");
    });
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(kTimeoutStatus),
              "pe 0 waits for \\*0x[0-9a-f]+ >= 4, now 0 \\(shmem_long_wait_until\\)");
}

}  // namespace
}  // namespace canopy::shmem
