#include "shmem/sync/lock.h"

#include "shmem/rma/rma.h"
#include "shmem/sync/compare.h"
#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

namespace canopy::shmem {
namespace {

using test::thread_world;

long* symmetric(World& world, size_t count) {
  return static_cast<long*>(world.host_heap().allocate_zeroed(count, sizeof(long)));
}

class LockOfPes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, LockOfPes, testing::Values(1, 2, 3, 4));

TEST_P(LockOfPes, LetsOneInAtATimeAndShowsWhatTheOneBeforeHasPut) {
  thread_world(GetParam(), [](World& world) {
    constexpr int kRounds = 200;
    long* locks = symmetric(world, 3);  // of different homes
    long* sums = symmetric(world, 3);
    for (int i = 0; i < kRounds; ++i) {
      long* lock = locks + i % 3;
      long* sum = sums + i % 3;
      set_lock(lock, "set_lock");
      // No atomics: only the lock keeps these apart.
      p<FromHost>(sum, g<FromHost>(sum, 0, "g") + 1, 0, "p");
      clear_lock(lock, "clear_lock");
    }
    world.barrier_all();
    long total = 0;
    for (int i = 0; i < 3; ++i) {
      total += g<FromHost>(sums + i, 0, "g");
      EXPECT_EQ(locks[i], 0) << "a free lock is zero again";
    }
    EXPECT_EQ(total, static_cast<long>(kRounds) * world.n_pes());
    world.barrier_all();
  });
}

TEST_P(LockOfPes, IsTestedWithoutWaiting) {
  thread_world(GetParam(), [](World& world) {
    long* lock = symmetric(world, 1);
    if (world.my_pe() == 0) {
      EXPECT_TRUE(test_lock(lock, "test_lock"));
      EXPECT_FALSE(test_lock(lock, "test_lock"));
    }
    world.barrier_all();
    if (world.my_pe() != 0) {
      EXPECT_FALSE(test_lock(lock, "test_lock"));
    }
    world.barrier_all();
    if (world.my_pe() == 0) {
      clear_lock(lock, "clear_lock");
    }
    world.barrier_all();
    if (world.my_pe() == world.n_pes() - 1) {
      EXPECT_TRUE(test_lock(lock, "test_lock"));
      clear_lock(lock, "clear_lock");
    }
    world.barrier_all();
  });
}

// PEs queue in the order of their numbers; the lock must go round in it.
TEST(Lock, IsGivenInTheOrderOfTheQueue) {
  constexpr int kPes = 4;
  thread_world(kPes, [](World& world) {
    long* lock = symmetric(world, 1);
    long* turn = symmetric(world, 1);
    long* order = symmetric(world, kPes + 1);
    if (world.my_pe() == 0) {
      set_lock(lock, "set_lock");
    }
    world.barrier_all();
    // The next PE is told to queue when this one's place is taken: tail, in the low half of the
    // home's long.
    const auto queued = [&](int pe) {
      const long wanted = pe + 1;
      for (int home = 0;; home = (home + 1) % kPes) {
        if ((g<FromHost>(lock, home, "g") & 0xFFFFFFFF) == wanted) {
          return;
        }
      }
    };
    if (world.my_pe() != 0) {
      queued(world.my_pe() - 1);
      set_lock(lock, "set_lock");
      const long place = g<FromHost>(turn, 0, "g");
      p<FromHost>(order + place, static_cast<long>(world.my_pe()), 0, "p");
      p<FromHost>(turn, place + 1, 0, "p");
      clear_lock(lock, "clear_lock");
    } else {
      queued(kPes - 1);
      clear_lock(lock, "clear_lock");
    }
    world.barrier_all();
    for (int i = 0; i < kPes - 1; ++i) {
      EXPECT_EQ(g<FromHost>(order + i, 0, "g"), i + 1);
    }
    world.barrier_all();
  });
}

TEST(LockDeathTest, NamesMisuse) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(thread_world(1,
                           [](World& world) {
                             long* lock = symmetric(world, 1);
                             set_lock(lock, "shmem_set_lock");
                             set_lock(lock, "shmem_set_lock");
                           }),
              testing::ExitedWithCode(kMisuseStatus),
              "pe 0: shmem_set_lock: this PE holds the lock at 0x[0-9a-f]+ already");
  EXPECT_EXIT(
      thread_world(1, [](World& world) { clear_lock(symmetric(world, 1), "shmem_clear_lock"); }),
      testing::ExitedWithCode(kMisuseStatus),
      "pe 0: shmem_clear_lock: this PE does not hold the lock at 0x");
  EXPECT_EXIT(thread_world(1,
                           [](World&) {
                             long private_word = 0;
                             set_lock(&private_word, "shmem_set_lock");
                           }),
              testing::ExitedWithCode(kMisuseStatus),
              "shmem_set_lock: .* is not in the symmetric heap");
}

TEST(LockDeathTest, NamesAHolderThatHasFinalized) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      thread_world(2,
                   [](World& world) {
                     long* lock = symmetric(world, 1);
                     if (world.my_pe() == 1) {
                       set_lock(lock, "shmem_set_lock");
                     }
                     world.barrier_all();
                     if (world.my_pe() == 0) {
                       set_lock(lock, "shmem_set_lock");
                     }
                   }),
      testing::ExitedWithCode(kMisuseStatus),
      "pe 0: shmem_set_lock: PE 1 has finalized with the lock at 0x[0-9a-f]+, for which this PE "
      "waits");
}

}  // namespace
}  // namespace canopy::shmem
