#include "runtime/device/event_bank.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

namespace canopy {
namespace {

TEST(EventBank, RefusesBeyondItsLimitAndSaysTheLimit) {
  EventBank bank(300);
  std::vector<EventCell*> cells;
  // Cells are made in batches; the limit counts those in use.
  for (int i = 0; i < 300; ++i) {
    auto cell = bank.take(1);
    ASSERT_TRUE(cell) << i;
    cells.push_back(*cell);
  }
  EXPECT_EQ(bank.in_use(), 300u);
  const auto refused = bank.take(1);
  ASSERT_FALSE(refused) << "300 of 300 are in use";
  EXPECT_EQ(refused.error().code, Errc::no_event);
  EXPECT_NE(error_text::take_newest().find("300"), std::string::npos);
  cells.back()->drop_reference();
  EXPECT_TRUE(bank.take(1));
}

TEST(EventBank, ACellReturnsWithItsLastReferenceOnly) {
  EventBank bank(16);
  EventCell* cell = *bank.take(2);
  cell->add_shares(EventCell::kHolder);
  cell->drop_reference();
  cell->drop_reference();
  EXPECT_EQ(bank.in_use(), 1u);
  cell->drop_reference();
  EXPECT_EQ(bank.in_use(), 0u);
}

TEST(EventBank, ACellThatIsUsedAgainIsPending) {
  EventBank bank(16);
  EventCell* cell = *bank.take(1);
  EXPECT_EQ(cell->finish(false), 0u);
  EXPECT_TRUE(cell->complete());
  cell->drop_reference();
  std::set<EventCell*> seen;
  for (int i = 0; i < 16; ++i) {
    EventCell* next = *bank.take(1);
    EXPECT_TRUE(seen.insert(next).second) << "a cell in use was given out twice";
    EXPECT_FALSE(next->complete());
  }
  EXPECT_TRUE(seen.contains(cell));
}

TEST(EventBank, ServesSeveralThreads) {
  EventBank bank(4096);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        EventCell* cell = *bank.take(1);
        EXPECT_FALSE(cell->complete());
        cell->finish(true);
        cell->drop_reference();
      }
    });
  }
  threads.clear();
  EXPECT_EQ(bank.in_use(), 0u);
}

}  // namespace
}  // namespace canopy
