#include "shmem/world/slot_area.h"

#include <gtest/gtest.h>

namespace canopy::shmem {
namespace {

constexpr uint64_t kMiB = 1u << 20;

TEST(SlotArea, GivesEverySlotTheSameLayout) {
  auto area = SlotArea::reserve(3, 4 * kMiB, 0, 8 * kMiB).value();
  const auto stride = area.user(1) - area.user(0);
  EXPECT_EQ(area.user(2) - area.user(1), stride);
  EXPECT_GE(area.device_room(), 8 * kMiB);
  EXPECT_GE(area.device_offset(), 4 * kMiB);
  EXPECT_LE(SlotArea::kUserAt + area.device_offset() + area.device_room(),
            static_cast<uint64_t>(stride));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(area.user(0)) % (2 * kMiB), 0u);
}

TEST(SlotArea, ShowsTheSameMemoryInBothMappingsOfIt) {
  auto area = SlotArea::reserve(2, 2 * kMiB, 0, 2 * kMiB).value();
  UniqueFd fd = sealed_memfd("slot-test", 2 * kMiB).value();
  ASSERT_TRUE(area.place_host(0, fd));
  ASSERT_TRUE(area.place_host(1, fd));
  area.user(0)[5] = std::byte{9};
  EXPECT_EQ(area.user(1)[5], std::byte{9});
}

TEST(SlotArea, HasGlobalsAtTheEndOfTheHeapAndDeviceHeapsBehindThem) {
  const uint64_t page = page_size();
  auto area = SlotArea::reserve(1, 2 * kMiB, page, 2 * kMiB).value();
  EXPECT_EQ(area.host_bytes(), 2 * kMiB + page);
  EXPECT_EQ(area.device_offset() % (2 * kMiB), 0u);
  EXPECT_GE(area.device_offset(), area.host_bytes() + 2 * kMiB);
  EXPECT_GE(area.device_room(), 2 * kMiB);
  UniqueFd globals = sealed_memfd("slot-test", page).value();
  ASSERT_TRUE(area.place_globals(0, globals));
  area.user(0)[2 * kMiB] = std::byte{9};
  EXPECT_DEATH(area.user(0)[2 * kMiB + page] = std::byte{1}, "");
}

TEST(SlotAreaDeathTest, FaultsWhereNothingIsMapped) {
  auto area = SlotArea::reserve(1, 2 * kMiB, 0, 2 * kMiB).value();
  EXPECT_DEATH(area.user(0)[0] = std::byte{1}, "");
}

}  // namespace
}  // namespace canopy::shmem
