#include "runtime/driver/address_space.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace canopy {
namespace {

std::byte* at(uint64_t address) { return reinterpret_cast<std::byte*>(address); }

MemoryRange range(uint64_t base, uint64_t bytes, int device = 0) {
  return {at(base), bytes, MemoryKind::device, device, false};
}

TEST(AddressSpace, FindsTheRangeOfItsFirstAndItsLastByte) {
  AddressSpace space;
  space.add(range(0x10000, 0x1000, 3));
  EXPECT_EQ(space.find(at(0x10000))->device, 3);
  EXPECT_EQ(space.find(at(0x10FFF))->device, 3);
  EXPECT_EQ(space.find(at(0x11000)), std::nullopt);
  EXPECT_EQ(space.find(at(0xFFFF)), std::nullopt);
}

TEST(AddressSpace, TellsNeighboursApart) {
  AddressSpace space;
  space.add(range(0x20000, 0x1000, 2));
  space.add(range(0x10000, 0x10000, 1));
  space.add(range(0x21000, 0x1000, 3));
  EXPECT_EQ(space.find(at(0x1FFFF))->device, 1);
  EXPECT_EQ(space.find(at(0x20000))->device, 2);
  EXPECT_EQ(space.find(at(0x21000))->device, 3);
}

TEST(AddressSpace, RemovesByTheStartOfARangeOnly) {
  AddressSpace space;
  space.add(range(0x10000, 0x1000));
  EXPECT_FALSE(space.remove(at(0x10001)));
  EXPECT_TRUE(space.remove(at(0x10000)));
  EXPECT_FALSE(space.remove(at(0x10000)));
  EXPECT_EQ(space.find(at(0x10000)), std::nullopt);
}

TEST(AddressSpace, AnOverlapEndsTheProcess) {
  AddressSpace space;
  space.add(range(0x10000, 0x1000));
  EXPECT_DEATH(space.add(range(0x10800, 0x1000)), "registered once");
  EXPECT_DEATH(space.add(range(0xF800, 0x1000)), "registered once");
  EXPECT_DEATH(space.add(range(0x10000, 0x1000)), "registered once");
  EXPECT_DEATH(space.add(range(0x10100, 0x10)), "registered once");
}

TEST(MemoryRange, ContainsCountsFromItsAddress) {
  const MemoryRange some = range(0x10000, 0x100);
  EXPECT_TRUE(some.contains(at(0x10000), 0x100));
  EXPECT_TRUE(some.contains(at(0x100FF), 1));
  EXPECT_FALSE(some.contains(at(0x100FF), 2));
  EXPECT_FALSE(some.contains(at(0x10001), 0x100));
  EXPECT_FALSE(some.contains(at(0xFFFF), 2));
  EXPECT_FALSE(some.contains(at(0x10001), ~uint64_t{0})) << "the end must not wrap round";
}

TEST(AddressSpace, TryAddRefusesWhatIsThereInPart) {
  AddressSpace space;
  ASSERT_TRUE(space.try_add(range(0x10000, 0x1000, 1)));
  EXPECT_FALSE(space.try_add(range(0x10000, 0x1000, 2)));
  EXPECT_FALSE(space.try_add(range(0x10FFF, 1, 2)));
  EXPECT_FALSE(space.try_add(range(0xF000, 0x1001, 2)));
  EXPECT_EQ(space.find(at(0x10000))->device, 1);
  EXPECT_TRUE(space.try_add(range(0xF000, 0x1000, 2)));
  EXPECT_TRUE(space.try_add(range(0x11000, 0x1000, 2)));
}

TEST(AddressSpace, LooksUpWhileOthersAddAndRemove) {
  AddressSpace space;
  space.add(range(0x1000000, 0x1000, 7));
  std::atomic<bool> done{false};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::jthread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!done.load(std::memory_order_relaxed)) {
        const auto found = space.find(at(0x1000800));
        if (!found || found->device != 7) {
          wrong.fetch_add(1);
        }
      }
    });
  }
  for (uint64_t i = 0; i < 5'000; ++i) {
    const uint64_t base = 0x2000000 + (i % 64) * 0x1000;
    space.add(range(base, 0x1000));
    EXPECT_TRUE(space.remove(at(base)));
  }
  done.store(true, std::memory_order_relaxed);
  readers.clear();
  EXPECT_EQ(wrong.load(), 0u);
}

}  // namespace
}  // namespace canopy
