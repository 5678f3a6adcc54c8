#include "shmem/sync/barrier.h"

#include "shmem/rma/rma.h"
#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace canopy::shmem {
namespace {

using test::thread_world;
#if defined(__SANITIZE_THREAD__)
constexpr uint64_t kRounds = 1000;
#else
constexpr uint64_t kRounds = 10000;
#endif

class BarrierOfPes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, BarrierOfPes, testing::Values(1, 2, 3, 4));

TEST_P(BarrierOfPes, LetsNobodyThroughEarly) {
  std::vector<std::atomic<uint64_t>> arrived(4);
  thread_world(GetParam(), [&](World& world) {
    for (uint64_t round = 1; round <= kRounds; ++round) {
      arrived[static_cast<size_t>(world.my_pe())].store(round, std::memory_order_relaxed);
      world.sync();
      for (int pe = 0; pe < world.n_pes(); ++pe) {
        ASSERT_GE(arrived[static_cast<size_t>(pe)].load(std::memory_order_relaxed), round);
      }
    }
  });
}

// Both algorithms at every size, whatever the CPUs of this machine would choose.
TEST_P(BarrierOfPes, HoldsWithBothAlgorithms) {
  const int n = GetParam();
  for (const int cpus : {1, 64}) {
    std::vector<ControlPage> pages(static_cast<size_t>(n));
    std::vector<uint64_t> plain(static_cast<size_t>(n));
    thread_world(n, [&](World& world) {
      std::vector<Seat> seats;
      for (ControlPage& page : pages) {
        seats.push_back({&page, &page.meeting});
      }
      Barrier barrier(world.my_pe(), seats, cpus);
      EXPECT_EQ(barrier.is_central(), n > cpus);
      const auto me = static_cast<size_t>(world.my_pe());
      for (uint64_t round = 1; round <= kRounds / 20; ++round) {
        plain[me] = round;  // no atomic: the barrier alone must order it
        barrier.sync(world, "test");
        for (uint64_t theirs : plain) {
          ASSERT_EQ(theirs, round);
        }
        barrier.sync(world, "test");
      }
    });
  }
}

}  // namespace
}  // namespace canopy::shmem
