#include "runtime/driver/memory_pool.h"

#include "runtime/driver/host_table.h"
#include "tests/unit/core/private_machine.h"

#include <gtest/gtest.h>

#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace canopy {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kCapacity = 64 * kMiB;

class MemoryPoolTest : public testing::Test {
 protected:
  void SetUp() override {
    auto table = HostTable::open();
    ASSERT_TRUE(table) << error_text::newest();
    table_ = std::move(*table);
    auto pool = MemoryPool::create(*table_, 0, kCapacity);
    ASSERT_TRUE(pool) << error_text::newest();
    pool_ = std::move(*pool);
  }
  void TearDown() override {
    pool_.reset();
    EXPECT_EQ(table_->used_bytes(0), 0u) << "a pool that is gone still counts";
  }
  std::byte* take(uint64_t bytes) { return static_cast<std::byte*>(pool_->allocate(bytes).value()); }
  Errc free_code(void* address) {
    const auto freed = pool_->free(address);
    error_text::clear();
    return freed ? Errc::ok : freed.error().code;
  }

  std::unique_ptr<HostTable> table_;
  std::unique_ptr<MemoryPool> pool_;
};

TEST_F(MemoryPoolTest, GivesAlignedDistinctMemoryForEverySize) {
  std::vector<std::byte*> live;
  for (uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{63}, uint64_t{64}, uint64_t{65}, uint64_t{96}, uint64_t{97},
                         uint64_t{1000}, uint64_t{4096}, kMiB - 1, kMiB, kMiB + 1, 2 * kMiB, 2 * kMiB + 1, 8 * kMiB}) {
    std::byte* memory = take(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u) << bytes;
    std::memset(memory, 0x5A, bytes);
    live.push_back(memory);
  }
  for (std::byte* memory : live) {
    EXPECT_EQ(free_code(memory), Errc::ok);
  }
  EXPECT_EQ(pool_->allocations(), 0u);
}

TEST_F(MemoryPoolTest, KnowsWhatWasAskedForToTheByte) {
  for (uint64_t bytes : {uint64_t{100}, 3 * kMiB + 1}) {
    for (PageKind pages : {PageKind::normal, PageKind::huge, PageKind::huge_1g}) {
      auto* memory = static_cast<std::byte*>(pool_->allocate(bytes, pages).value());
      const auto found = pool_->find(memory + bytes - 1);
      ASSERT_TRUE(found);
      EXPECT_EQ(found->base, memory);
      EXPECT_EQ(found->bytes, bytes);
      EXPECT_EQ(found->pages, pages);
      EXPECT_EQ(pool_->find(memory + bytes), std::nullopt) << "the rest of its cell or granule is nobody's";
      EXPECT_EQ(free_code(memory), Errc::ok);
    }
  }
}

TEST_F(MemoryPoolTest, TellsWhatItHoldsAndHeldAtMost) {
  EXPECT_EQ(pool_->held().bytes, 0u);
  std::byte* large = take(5 * kMiB);
  take(100);
  EXPECT_EQ(pool_->held().bytes, 8 * kMiB);
  EXPECT_EQ(pool_->held().bytes, table_->used_bytes(0));
  EXPECT_EQ(free_code(large), Errc::ok);
  EXPECT_EQ(pool_->held().bytes, 2 * kMiB);
  EXPECT_EQ(pool_->held().peak, 8 * kMiB);
  pool_->release_all();
  EXPECT_EQ(pool_->held().bytes, 0u);
}

TEST_F(MemoryPoolTest, RefusesADoubleFree) {
  for (uint64_t bytes : {uint64_t{100}, 4 * kMiB}) {
    std::byte* memory = take(bytes);
    EXPECT_EQ(free_code(memory), Errc::ok);
    EXPECT_EQ(free_code(memory), Errc::invalid_argument) << bytes;
  }
  EXPECT_EQ(pool_->allocations(), 0u);
}

TEST_F(MemoryPoolTest, RefusesAnInteriorPointer) {
  for (uint64_t bytes : {uint64_t{200}, 4 * kMiB}) {
    std::byte* memory = take(bytes);
    for (uint64_t offset : {uint64_t{1}, uint64_t{64}, bytes - 1}) {
      EXPECT_EQ(free_code(memory + offset), Errc::invalid_argument) << bytes << " + " << offset;
    }
    EXPECT_EQ(free_code(memory + 2 * kMiB), Errc::invalid_argument);
    EXPECT_EQ(free_code(memory), Errc::ok);
  }
}

TEST_F(MemoryPoolTest, RefusesAForeignPointer) {
  take(100);
  int on_stack = 0;
  EXPECT_EQ(free_code(&on_stack), Errc::invalid_argument);
  EXPECT_EQ(free_code(nullptr), Errc::invalid_argument);
  EXPECT_EQ(free_code(reinterpret_cast<void*>(~uint64_t{0})), Errc::invalid_argument);
}

TEST_F(MemoryPoolTest, RefusesTheUnusedEndOfASlab) {
  // 192-byte cells leave a rest at the end of their 2 MiB slab.
  std::byte* cell = take(192);
  std::byte* slab = cell - reinterpret_cast<uintptr_t>(cell) % (2 * kMiB);
  EXPECT_EQ(free_code(slab + 2 * kMiB / 192 * 192), Errc::invalid_argument);
  EXPECT_EQ(pool_->find(slab + 2 * kMiB - 1), std::nullopt);
}

TEST_F(MemoryPoolTest, CapacityIsExactToTheGranule) {
  std::vector<std::byte*> live;
  for (uint64_t used = 0; used < kCapacity; used += 2 * kMiB) {
    live.push_back(take(2 * kMiB));
  }
  EXPECT_EQ(table_->used_bytes(0), kCapacity);
  const auto refused = pool_->allocate(1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::no_memory);
  error_text::clear();
  ASSERT_TRUE(pool_->free(live.back()));
  EXPECT_TRUE(pool_->allocate(2 * kMiB));
}

TEST_F(MemoryPoolTest, AFailingAllocationFirstTrimsWhatThePoolKeeps) {
  // One empty slab of each of these sizes stays with the pool.
  for (uint64_t bytes : {64, 128, 1000, 5000}) {
    ASSERT_TRUE(pool_->free(take(bytes)));
  }
  EXPECT_GT(table_->used_bytes(0), 0u);
  std::byte* all = take(kCapacity);
  EXPECT_NE(all, nullptr);
  EXPECT_EQ(table_->used_bytes(0), kCapacity);
}

TEST_F(MemoryPoolTest, TrimGivesEverythingBackThatNobodyUses) {
  std::byte* kept = take(64);
  for (uint64_t bytes : {128, 1000, 5000}) {
    ASSERT_TRUE(pool_->free(take(bytes)));
  }
  pool_->trim();
  EXPECT_EQ(table_->used_bytes(0), 2 * kMiB);
  *kept = std::byte{1};
  ASSERT_TRUE(pool_->free(kept));
  pool_->trim();
  EXPECT_EQ(table_->used_bytes(0), 0u);
}

TEST_F(MemoryPoolTest, ReleaseAllFreesEverythingAndThePoolWorksOn) {
  std::byte* small = take(100);
  std::byte* large = take(5 * kMiB);
  pool_->release_all();
  EXPECT_EQ(table_->used_bytes(0), 0u);
  EXPECT_EQ(pool_->allocations(), 0u);
  EXPECT_EQ(pool_->find(small), std::nullopt);
  EXPECT_EQ(pool_->find(large), std::nullopt);
  EXPECT_EQ(free_code(small), Errc::invalid_argument);
  EXPECT_EQ(free_code(large), Errc::invalid_argument);
  EXPECT_TRUE(pool_->contains(large)) << "the address space stays";
  std::memset(take(kCapacity), 1, kCapacity);
  pool_->release_all();
  *take(1) = std::byte{1};
}

TEST_F(MemoryPoolTest, FindTellsTheLiveAllocationAndNothingElse) {
  std::byte* small = take(100);
  std::byte* large = take(3 * kMiB);
  const auto in_small = pool_->find(small + 99);
  ASSERT_TRUE(in_small);
  EXPECT_EQ(in_small->base, small);
  EXPECT_GE(in_small->bytes, 100u);
  EXPECT_EQ(in_small->kind, MemoryKind::device);
  const auto in_large = pool_->find(large + 3 * kMiB - 1);
  ASSERT_TRUE(in_large);
  EXPECT_EQ(in_large->base, large);
  EXPECT_GE(in_large->bytes, 3 * kMiB);
  int on_stack = 0;
  EXPECT_EQ(pool_->find(&on_stack), std::nullopt);
  ASSERT_TRUE(pool_->free(small) && pool_->free(large));
  EXPECT_EQ(pool_->find(small), std::nullopt);
  EXPECT_EQ(pool_->find(large), std::nullopt);
}

TEST_F(MemoryPoolTest, WhatLiesBelowAnAllocationStaysAndCountsAsLongAsSomebodyHoldsIt) {
  for (uint64_t bytes : {uint64_t{70'000}, 4 * kMiB}) {
    std::byte* memory = take(bytes);
    memory[5000] = std::byte{17};
    auto backing = pool_->backing(memory + 5000);
    ASSERT_TRUE(backing);
    EXPECT_EQ(backing->allocation.base, memory);
    EXPECT_EQ(backing->allocation.bytes, bytes);
    auto file = Mapping::shared(backing->memory->fd(), backing->memory->bytes());
    ASSERT_TRUE(file);
    EXPECT_EQ(file->base()[backing->offset], std::byte{17});
    EXPECT_FALSE(pool_->backing(memory + bytes)) << "behind it";
    const uint64_t used = table_->used_bytes(0);
    ASSERT_TRUE(pool_->free(memory));
    pool_->trim();
    EXPECT_FALSE(pool_->backing(memory));
    EXPECT_EQ(table_->used_bytes(0), used);
    backing.reset();
    EXPECT_LT(table_->used_bytes(0), used);
  }
}

TEST_F(MemoryPoolTest, PinnedHostMemoryIsNotCounted) {
  auto pool = MemoryPool::create(*table_, kHostMemory, kCapacity);
  ASSERT_TRUE(pool);
  auto memory = (*pool)->allocate(8 * kMiB);
  ASSERT_TRUE(memory);
  EXPECT_EQ((*pool)->find(*memory)->kind, MemoryKind::pinned_host);
  EXPECT_EQ(table_->used_bytes(0), 0u);
}

TEST_F(MemoryPoolTest, AnImpossibleSizeIsRefusedWithNoMemory) {
  for (uint64_t bytes : {kCapacity + 1, uint64_t{1} << 47, uint64_t{1} << 60, ~uint64_t{0}}) {
    const auto refused = pool_->allocate(bytes);
    ASSERT_FALSE(refused) << bytes;
    EXPECT_EQ(refused.error().code, Errc::no_memory) << bytes;
  }
  EXPECT_EQ(table_->used_bytes(0), 0u);
  error_text::clear();
}

// Every live allocation is filled with its own pattern, so that an overlap shows.
TEST_F(MemoryPoolTest, AgreesWithAModelUnderRandomOperations) {
  struct Live {
    uint64_t bytes;
    uint8_t mark;
  };
  std::mt19937_64 random(11);
  std::map<std::byte*, Live> live;
  const auto edges_intact = [](const std::byte* at, const Live& one) {
    return at[0] == std::byte{one.mark} && at[one.bytes / 2] == std::byte{one.mark} &&
           at[one.bytes - 1] == std::byte{one.mark};
  };
  size_t refused = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 100 < 52) {
      const uint64_t bytes = 1 + random() % (uint64_t{1} << (random() % 24));
      const auto got = pool_->allocate(bytes);
      if (!got) {
        ASSERT_EQ(got.error().code, Errc::no_memory);
        ++refused;
        continue;
      }
      auto* at = static_cast<std::byte*>(*got);
      const auto above = live.lower_bound(at);
      ASSERT_TRUE(above == live.end() || at + bytes <= above->first) << "overlap";
      ASSERT_TRUE(above == live.begin() || std::prev(above)->first + std::prev(above)->second.bytes <= at) << "overlap";
      const Live one{bytes, static_cast<uint8_t>(step)};
      at[0] = at[bytes / 2] = at[bytes - 1] = std::byte{one.mark};
      live.emplace(at, one);
    } else if (!live.empty()) {
      auto it = live.begin();
      std::advance(it, static_cast<ptrdiff_t>(random() % live.size()));
      ASSERT_TRUE(edges_intact(it->first, it->second));
      const auto found = pool_->find(it->first + random() % it->second.bytes);
      ASSERT_TRUE(found);
      ASSERT_EQ(found->base, it->first);
      ASSERT_TRUE(found->contains(it->first, it->second.bytes));
      ASSERT_TRUE(pool_->free(it->first));
      live.erase(it);
    }
    ASSERT_EQ(pool_->allocations(), live.size());
    ASSERT_LE(table_->used_bytes(0), kCapacity);
  }
  EXPECT_GT(refused, 0u) << "the device was never full: the test is too tame";
  for (const auto& [at, one] : live) {
    ASSERT_TRUE(edges_intact(at, one));
    ASSERT_TRUE(pool_->free(at));
  }
  pool_->trim();
  EXPECT_EQ(table_->used_bytes(0), 0u);
  error_text::clear();
}

TEST_F(MemoryPoolTest, ServesSeveralThreads) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 2'000; ++i) {
        auto memory = pool_->allocate(1 + random() % 5000);
        ASSERT_TRUE(memory);
        auto* at = static_cast<std::byte*>(*memory);
        *at = std::byte{static_cast<uint8_t>(t)};
        ASSERT_EQ(*at, std::byte{static_cast<uint8_t>(t)});
        ASSERT_TRUE(pool_->find(at));
        ASSERT_TRUE(pool_->free(at));
      }
    });
  }
  threads.clear();
  EXPECT_EQ(pool_->allocations(), 0u);
}

}  // namespace
}  // namespace canopy
