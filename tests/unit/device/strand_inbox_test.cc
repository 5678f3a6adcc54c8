#include "runtime/device/strand_inbox.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

namespace canopy {
namespace {

Strand* pop(StrandInbox& inbox) {
  Strand* strand = inbox.front();
  if (strand != nullptr) {
    inbox.drop_front();
  }
  return strand;
}

// The inbox never looks into what it carries.
Strand* numbered(uint64_t number) { return reinterpret_cast<Strand*>((number + 1) << 8); }
uint64_t number_of(const Strand* strand) { return (reinterpret_cast<uintptr_t>(strand) >> 8) - 1; }

TEST(StrandInbox, GivesInTheOrderInWhichItWasGiven) {
  auto inbox = std::make_unique<StrandInbox>();
  EXPECT_FALSE(inbox->any());
  EXPECT_EQ(pop(*inbox), nullptr);
  uint64_t given = 0;
  uint64_t taken = 0;
  while (taken < 10 * StrandInbox::kSlots) {  // round and round, with more and fewer inside
    for (uint64_t i = 0; i <= given % 7; ++i) {
      ASSERT_TRUE(inbox->push(numbered(given++)));
    }
    EXPECT_TRUE(inbox->any());
    EXPECT_EQ(inbox->has_several(), given - taken > 1);
    for (uint64_t i = 0; i <= taken % 5 && taken != given; ++i) {
      ASSERT_EQ(pop(*inbox), numbered(taken++));
    }
    while (given - taken > StrandInbox::kSlots / 2) {
      ASSERT_EQ(pop(*inbox), numbered(taken++));
    }
  }
  while (taken != given) {
    ASSERT_EQ(pop(*inbox), numbered(taken++));
  }
  EXPECT_FALSE(inbox->any());
  EXPECT_EQ(pop(*inbox), nullptr);
}

TEST(StrandInbox, RefusesWhatItHasNoRoomForAndLosesNothing) {
  auto inbox = std::make_unique<StrandInbox>();
  for (uint64_t i = 0; i < StrandInbox::kSlots; ++i) {
    ASSERT_TRUE(inbox->push(numbered(i)));
  }
  EXPECT_FALSE(inbox->push(numbered(4711)));
  EXPECT_EQ(pop(*inbox), numbered(0));
  EXPECT_TRUE(inbox->push(numbered(StrandInbox::kSlots)));
  EXPECT_FALSE(inbox->push(numbered(4711)));
  for (uint64_t i = 1; i <= StrandInbox::kSlots; ++i) {
    ASSERT_EQ(pop(*inbox), numbered(i));
  }
  EXPECT_EQ(pop(*inbox), nullptr);
}

TEST(StrandInbox, ManyGiveAtATime) {
  constexpr uint64_t kGivers = 4;
  constexpr uint64_t kEach = 50'000;
  auto inbox = std::make_unique<StrandInbox>();
  std::vector<std::jthread> givers;
  for (uint64_t giver = 0; giver < kGivers; ++giver) {
    givers.emplace_back([&inbox, giver](const std::stop_token& stop) {
      for (uint64_t i = 0; i < kEach && !stop.stop_requested(); ++i) {
        while (!inbox->push(numbered(giver * kEach + i)) && !stop.stop_requested()) {
          std::this_thread::yield();
        }
      }
    });
  }
  std::vector<uint64_t> next(kGivers, 0);  // each giver's come in its order
  for (uint64_t taken = 0; taken < kGivers * kEach;) {
    const Strand* strand = pop(*inbox);
    if (strand == nullptr) {
      std::this_thread::yield();
      continue;
    }
    const uint64_t number = number_of(strand);
    ASSERT_LT(number, kGivers * kEach);
    ASSERT_EQ(number % kEach, next[number / kEach]++);
    ++taken;
  }
  EXPECT_FALSE(inbox->any());
}

}  // namespace
}  // namespace canopy
