#include "shmem/heap/symmetric_heap.h"

#include "shmem/rma/rma.h"
#include "tests/support/thread_world.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace canopy::shmem {
namespace {

using test::thread_world;
constexpr uint64_t kUnit = SymmetricHeap::kUnit;

class HeapOfPes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, HeapOfPes, testing::Values(1, 2, 3, 4));

TEST_P(HeapOfPes, GivesEqualOffsetsThroughRandomCalls) {
  std::vector<std::vector<ptrdiff_t>> offsets(static_cast<size_t>(GetParam()));
  thread_world(GetParam(), [&](World& world) {
    std::mt19937 random(7);  // the same calls on every PE
    std::vector<void*> blocks;
    auto& mine = offsets[static_cast<size_t>(world.my_pe())];
    for (int i = 0; i < 300; ++i) {
      if (!blocks.empty() && random() % 3 == 0) {
        const size_t victim = random() % blocks.size();
        world.host_heap().release(blocks[victim]);
        blocks.erase(blocks.begin() + static_cast<ptrdiff_t>(victim));
        continue;
      }
      const uint64_t alignment = uint64_t{1} << (random() % 14);
      void* block = world.host_heap().allocate(HeapRoutine::align, 1 + random() % 5000, alignment);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0u);
      mine.push_back(static_cast<std::byte*>(block) - world.host_heap().base());
      blocks.push_back(block);
    }
    for (void* block : blocks) {
      world.host_heap().release(block);
    }
    EXPECT_EQ(world.host_heap().info().live_blocks, 0u);
    EXPECT_EQ(world.host_heap().info().largest_free, world.host_heap().bytes());
  });
  for (const auto& other : offsets) {
    EXPECT_EQ(other, offsets[0]);
  }
}

TEST_P(HeapOfPes, ReturnsNullOnEveryPeWhenItIsFull) {
  thread_world(GetParam(), [](World& world) {
    EXPECT_EQ(world.host_heap().allocate(HeapRoutine::malloc, world.host_heap().bytes() + 1, kUnit),
              nullptr);
    EXPECT_NE(error_text::newest().find("the largest piece has"), std::string::npos);
    EXPECT_EQ(world.host_heap().allocate(HeapRoutine::malloc, ~uint64_t{0}, kUnit), nullptr);
    EXPECT_EQ(world.host_heap().allocate_zeroed(uint64_t{1} << 40, uint64_t{1} << 40), nullptr);
    void* all = world.host_heap().allocate(HeapRoutine::malloc, world.host_heap().bytes(), kUnit);
    EXPECT_NE(all, nullptr);
    EXPECT_EQ(world.host_heap().allocate(HeapRoutine::malloc, 1, kUnit), nullptr);
    world.host_heap().release(all);
  });
}

TEST_P(HeapOfPes, ClearsCallocBeforeAnyPeWrites) {
  thread_world(GetParam(), [](World& world) {
    const int to = (world.my_pe() + 1) % world.n_pes();
    for (int round = 0; round < 20; ++round) {
      auto* block = static_cast<uint64_t*>(world.host_heap().allocate_zeroed(512, 8));
      ASSERT_NE(block, nullptr);
      p<FromHost>(block + 511, uint64_t{42}, to, "p");
      world.barrier_all();
      EXPECT_EQ(block[511], 42u);
      EXPECT_EQ(block[0], 0u);
      block[0] = 99;  // dirt for the next round
      world.host_heap().release(block);
    }
  });
}

TEST_P(HeapOfPes, KeepsTheContentsInRealloc) {
  thread_world(GetParam(), [](World& world) {
    auto* block = static_cast<int*>(world.host_heap().reallocate(nullptr, 10 * sizeof(int)));
    for (int i = 0; i < 10; ++i) {
      block[i] = 100 * world.my_pe() + i;
    }
    block = static_cast<int*>(world.host_heap().reallocate(block, 100000));
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(block[9], 100 * world.my_pe() + 9);
    EXPECT_EQ(world.host_heap().reallocate(block, world.host_heap().bytes() + 1), nullptr);
    EXPECT_EQ(block[9], 100 * world.my_pe() + 9) << "a failed realloc leaves the block alone";
    EXPECT_EQ(world.host_heap().reallocate(block, 0), nullptr);
    EXPECT_EQ(world.host_heap().info().live_blocks, 0u);
  });
}

TEST(SymmetricHeap, DoesNothingForNothing) {
  thread_world(2, [](World& world) {
    // No barrier either: only one PE calls.
    if (world.my_pe() == 0) {
      EXPECT_EQ(world.host_heap().allocate(HeapRoutine::malloc, 0, kUnit), nullptr);
      world.host_heap().release(nullptr);
    }
  });
}

TEST(SymmetricHeapDeathTest, SaysWhichPeAskedForWhat) {
  EXPECT_EXIT(thread_world(3,
                           [](World& world) {
                             world.host_heap().allocate(HeapRoutine::malloc,
                                                        world.my_pe() == 2 ? 64 : 128, kUnit);
                             world.barrier_all();
                           }),
              testing::ExitedWithCode(kMisuseStatus),
              "pe 2 asked for shmem_malloc\\(64\\), pe 0 for shmem_malloc\\(128\\)");
}

TEST(SymmetricHeapDeathTest, SaysWhenPesCallDifferentRoutines) {
  EXPECT_EXIT(thread_world(2,
                           [](World& world) {
                             void* block =
                                 world.host_heap().allocate(HeapRoutine::malloc, 64, kUnit);
                             if (world.my_pe() == 1) {
                               world.host_heap().release(block);
                             } else {
                               world.host_heap().allocate_zeroed(1, 64);
                             }
                             world.barrier_all();
                           }),
              testing::ExitedWithCode(kMisuseStatus),
              "pe 1 asked for shmem_free\\(offset 0\\), pe 0 for shmem_calloc");
}

TEST(SymmetricHeapDeathTest, RefusesToFreeWhatItNeverGave) {
  EXPECT_EXIT(thread_world(1,
                           [](World& world) {
                             auto* block = static_cast<std::byte*>(
                                 world.host_heap().allocate(HeapRoutine::malloc, 64, kUnit));
                             world.host_heap().release(block + 1);
                           }),
              testing::ExitedWithCode(kMisuseStatus), "pe 0: shmem_free: 0x.* was not allocated");
}

}  // namespace
}  // namespace canopy::shmem
