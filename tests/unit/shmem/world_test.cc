#include "shmem/world/world.h"

#include "shmem/rma/rma.h"
#include "shmem/sync/compare.h"
#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

namespace canopy::shmem {
namespace {

using test::thread_world;

class WorldOfSize : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, WorldOfSize, testing::Values(1, 2, 3, 4));

TEST_P(WorldOfSize, NumbersItsPesAndIsCurrentForTheirThreads) {
  std::atomic<int> seen{0};
  thread_world(GetParam(), [&](World& world) {
    EXPECT_EQ(world.n_pes(), GetParam());
    EXPECT_EQ(current_world(), &world);
    EXPECT_EQ(current_hot().my_pe, world.my_pe());
    seen.fetch_or(1 << world.my_pe(), std::memory_order_relaxed);
  });
  EXPECT_EQ(seen.load(), (1 << GetParam()) - 1);
  EXPECT_EQ(current_world(), nullptr);
}

TEST_P(WorldOfSize, GivesOneObjectTheSameOffsetOnEveryPe) {
  thread_world(GetParam(), [&](World& world) {
    auto* mine = static_cast<std::byte*>(
        world.host_heap().allocate(HeapRoutine::malloc, 100, SymmetricHeap::kUnit));
    ASSERT_NE(mine, nullptr);
    for (int pe = 0; pe < world.n_pes(); ++pe) {
      const Remote there = translate<1>(world.hot(), mine, 100, pe);
      ASSERT_EQ(there.direct, world.far() == nullptr || world.far()->way_to(pe) == nullptr);
      if (there.direct) {
        EXPECT_EQ(there.at - reinterpret_cast<std::byte*>(world.hot().peers[pe].base),
                  mine - reinterpret_cast<std::byte*>(world.hot().base));
      } else {
        const auto target =
            world.far()->locate(pe, static_cast<uint64_t>(mine - reinterpret_cast<std::byte*>(world.hot().base)), 100);
        ASSERT_TRUE(target);
        EXPECT_EQ(target->offset, static_cast<uint64_t>(mine - reinterpret_cast<std::byte*>(world.hot().base)));
      }
    }
    const Remote own = translate<1>(world.hot(), mine, 1, world.my_pe());
    EXPECT_TRUE(!own.direct || own.at == mine);
  });
}

TEST_P(WorldOfSize, ExplainsEveryPath) {
  thread_world(GetParam(), [&](World& world) {
    for (int pe = 0; pe < world.n_pes(); ++pe) {
      EXPECT_EQ(world.why(pe) == "self", world.plan().path(world.my_pe(), pe) == Path::self);
      EXPECT_FALSE(world.why(pe).empty());
    }
  });
}

TEST(World, LivesSeveralTimesInOneProcess) {
  for (int round = 0; round < 3; ++round) {
    thread_world(2, [](World& world) { world.barrier_all(); });
  }
}

TEST(World, LivesBesideAnotherInOneThread) {
  ThreadGroup first(1);
  ThreadGroup second(1);
  WorldOptions options;
  options.heap_bytes = 2u << 20;
  options.for_thread = true;
  auto a = World::create(first.bootstrap(0), options);
  auto b = World::create(second.bootstrap(0), options);
  ASSERT_TRUE(a && b);
  EXPECT_NE((*a)->host_heap().base(), (*b)->host_heap().base());
  EXPECT_TRUE((*b)->finalize());
  EXPECT_TRUE((*a)->finalize());
}

TEST(World, FailsOnAllPesWhenTheHeapDoesNotFit) {
  ThreadGroup group(2, std::chrono::seconds(20));
  std::atomic<int> failures{0};
  group.run([&](std::unique_ptr<Bootstrap> bootstrap) {
    WorldOptions options;
    options.heap_bytes = 1ull << 45;
    options.for_thread = true;
    auto world = World::create(std::move(bootstrap), options);
    failures += !world && error_text::newest().find("are available") != std::string::npos;
  });
  EXPECT_EQ(failures.load(), 2);
}

TEST(World, UsesTheSmallestHeapThatAnyPeWants) {
  ThreadGroup group(2, std::chrono::seconds(20));
  group.run([&](std::unique_ptr<Bootstrap> bootstrap) {
    WorldOptions options;
    options.heap_bytes = bootstrap->pe() == 0 ? 8u << 20 : 4u << 20;
    options.for_thread = true;
    auto world = World::create(std::move(bootstrap), options);
    ASSERT_TRUE(world);
    EXPECT_EQ((*world)->host_heap().bytes(), 4u << 20);
    EXPECT_TRUE((*world)->finalize());
  });
}

TEST(WorldDeathTest, NamesAnAddressThatIsNotSymmetric) {
  EXPECT_EXIT(thread_world(1,
                           [](World&) {
                             long local = 0;
                             p<FromHost>(&local, 1L, 0, "shmem_long_p");
                           }),
              testing::ExitedWithCode(kMisuseStatus),
              "pe 0: shmem_long_p: .* is not in the symmetric heap");
}

TEST(WorldDeathTest, NamesAPeThatDoesNotExist) {
  EXPECT_EXIT(
      thread_world(1,
                   [](World& world) {
                     auto* word =
                         static_cast<long*>(world.host_heap().allocate(HeapRoutine::malloc, 8, 64));
                     p<FromHost>(word, 1L, 7, "shmem_long_p");
                   }),
      testing::ExitedWithCode(kMisuseStatus), "PE 7 does not exist, the job has PEs 0 to 0");
}

TEST(WorldDeathTest, SaysWhenNothingIsInitialised) {
  long word = 0;
  EXPECT_EXIT(p<FromHost>(&word, 1L, 0, "shmem_long_p"), testing::ExitedWithCode(1),
              "shmem_long_p was called before init or after finalize");
}

TEST(WorldDeathTest, ReportsAPeThatWaitsForOneThatHasLeft) {
  EXPECT_EXIT(thread_world(2,
                           [](World& world) {
                             if (world.my_pe() == 0) {
                               world.barrier_all();
                             }
                           }),
              testing::ExitedWithCode(kMisuseStatus),
              "waits in barrier_all for PE 1, which has finalized");
}

}  // namespace
}  // namespace canopy::shmem
