// Order between streams: priorities, rotation, events.
#include "runtime/device/strand_inbox.h"
#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace canopy::test {
namespace {

struct Entry {
  std::vector<int>* log;
  int who;
  static void write(void* self) {
    auto& entry = *static_cast<Entry*>(self);
    entry.log->push_back(entry.who);
  }
};

// One executor that never counts as stuck: nobody else takes over, so the order is exact.
Rig::Shape one_executor() { return {.executors = 1, .stuck_ms = 600'000}; }

TEST(Priority, AHigherOneRunsFirst) {
  Rig rig(one_executor());
  HeldExecutor held(rig);
  std::vector<int> log;
  Entry entries[8];
  std::vector<std::unique_ptr<RigStream>> streams;
  for (int priority = 7; priority >= 0; --priority) {  // the lowest is queued first
    entries[priority] = {&log, priority};
    streams.push_back(std::make_unique<RigStream>(rig, static_cast<uint8_t>(priority)));
    for (int i = 0; i < 10; ++i) {
      streams.back()->call(&Entry::write, &entries[priority]);
    }
  }
  held.open();
  streams.clear();
  ASSERT_EQ(log.size(), 80u);
  EXPECT_TRUE(std::is_sorted(log.begin(), log.end()));
}

// More than the executor's inbox holds, handed over while it looks at none of them.
TEST(Priority, OfStreamsBeyondTheInboxAHigherOneRunsFirstAndEqualOnesInTheirOrder) {
  constexpr size_t kStreams = 2 * StrandInbox::kSlots + 100;
  Rig rig(one_executor());
  HeldExecutor held(rig);
  std::vector<int> log;
  std::vector<Entry> entries;
  for (size_t i = 0; i < kStreams; ++i) {
    entries.push_back({&log, static_cast<int>(i)});
  }
  std::vector<std::unique_ptr<RigStream>> streams;
  for (size_t i = 0; i < kStreams; ++i) {
    streams.push_back(std::make_unique<RigStream>(rig, static_cast<uint8_t>(i % 3)));
    streams.back()->call(&Entry::write, &entries[i]);
  }
  held.open();
  streams.clear();
  ASSERT_EQ(log.size(), kStreams);
  for (size_t i = 1; i < kStreams; ++i) {
    ASSERT_LT(std::pair(log[i - 1] % 3, log[i - 1]), std::pair(log[i] % 3, log[i]));
  }
}

TEST(Priority, ThatIsChangedHoldsForWhatIsQueuedAfterwards) {
  Rig rig(one_executor());
  HeldExecutor held(rig);
  std::vector<int> log;
  Entry entries[8];
  std::vector<std::unique_ptr<RigStream>> streams;
  for (int priority = 7; priority >= 0; --priority) {
    entries[priority] = {&log, priority};
    streams.push_back(std::make_unique<RigStream>(rig, static_cast<uint8_t>(7 - priority)));
    streams.back()->strand().set_priority(static_cast<uint8_t>(priority));
    streams.back()->call(&Entry::write, &entries[priority]);
  }
  held.open();
  streams.clear();
  ASSERT_EQ(log.size(), 8u);
  EXPECT_TRUE(std::is_sorted(log.begin(), log.end()));
}

// More streams than executors, all of which lie in queues again and again while their priorities change.
TEST(Priority, MayChangeWhileStreamsBecomeReady) {
  constexpr size_t kStreams = 8;
  Rig rig({.executors = 1});
  std::vector<std::unique_ptr<RigStream>> streams;
  for (size_t i = 0; i < kStreams; ++i) {
    streams.push_back(std::make_unique<RigStream>(rig));
  }
  std::atomic<bool> over{false};
  std::thread changer([&] {
    for (uint32_t i = 0; !over.load(std::memory_order_relaxed); ++i) {
      streams[i % kStreams]->strand().set_priority(static_cast<uint8_t>(i / kStreams % Strand::kPriorities));
    }
  });
  std::atomic<uint64_t> ran{0};
  const uint64_t tasks = 3'000'000 / kSlowdown;
  for (uint64_t i = 0; i < tasks; ++i) {
    streams[i % kStreams]->call([](void* count) { static_cast<std::atomic<uint64_t>*>(count)->fetch_add(1); }, &ran);
  }
  for (auto& stream : streams) {
    stream->sync();
  }
  over.store(true, std::memory_order_relaxed);
  changer.join();
  EXPECT_EQ(ran.load(), tasks);
}

TEST(Priority, AHigherOneTakesOverBetweenTwoTasks) {
  Rig rig(one_executor());
  static RigStream* s_urgent;
  static std::vector<int>* s_log;
  static Entry s_entry;
  std::vector<int> log;
  RigStream low(rig, 5);
  RigStream urgent(rig, 1);
  s_urgent = &urgent;
  s_log = &log;
  s_entry = {&log, 1};
  Entry plain{&log, 5};
  HeldExecutor held(rig);
  low.call([](void*) {
    s_log->push_back(0);
    s_urgent->call(&Entry::write, &s_entry);
  }, nullptr);
  for (int i = 0; i < 20; ++i) {
    low.call(&Entry::write, &plain);
  }
  held.open();
  low.sync();
  urgent.sync();
  ASSERT_EQ(log.size(), 22u);
  EXPECT_EQ(log[0], 0);
  EXPECT_EQ(log[1], 1) << "the urgent task had to wait for the rest of the stream";
}

TEST(Rotation, EqualPrioritiesTakeTurnsOfAtMostSixtyFourTasks) {
  Rig rig(one_executor());
  HeldExecutor held(rig);
  std::vector<int> log;
  Entry entries[3];
  std::vector<std::unique_ptr<RigStream>> streams;
  for (int s = 0; s < 3; ++s) {
    entries[s] = {&log, s};
    streams.push_back(std::make_unique<RigStream>(rig));
    for (int i = 0; i < 500; ++i) {
      streams.back()->call(&Entry::write, &entries[s]);
    }
  }
  held.open();
  streams.clear();
  ASSERT_EQ(log.size(), 1500u);
  // Until two of the three are through, nobody runs long.
  size_t longest = 0;
  size_t run = 0;
  std::vector<size_t> seen(3, 0);
  for (size_t i = 0; i < log.size(); ++i) {
    run = i != 0 && log[i] == log[i - 1] ? run + 1 : 1;
    ++seen[static_cast<size_t>(log[i])];
    if (std::count(seen.begin(), seen.end(), 500u) < 2) {
      longest = std::max(longest, run);
    }
  }
  EXPECT_LE(longest, 65u);
}

struct Cell {
  uint64_t value = 0;  // plain: only events order the accesses
  uint64_t wrong = 0;
};
struct Check {
  Cell* cell;
  uint64_t expected;
  static void run(void* self) {
    auto& check = *static_cast<Check*>(self);
    check.cell->wrong += check.cell->value != check.expected;
    ++check.cell->value;
  }
};

class Events : public testing::TestWithParam<uint32_t> {};

TEST_P(Events, AChainThroughEightStreamsKeepsItsOrder) {
  Rig rig({.executors = GetParam()});
  constexpr uint64_t kRounds = 4'000 / kSlowdown;
  Cell cell;
  std::vector<Check> checks(kRounds * 8);
  std::vector<std::unique_ptr<RigStream>> streams;
  for (int s = 0; s < 8; ++s) {
    streams.push_back(std::make_unique<RigStream>(rig));
  }
  EventCell* last = nullptr;
  for (uint64_t i = 0; i < checks.size(); ++i) {
    RigStream& stream = *streams[i % 8];
    checks[i] = {&cell, i};
    if (last != nullptr) {
      stream.wait(last);
      last->drop_reference();
    }
    stream.call(&Check::run, &checks[i]);
    last = stream.record();
  }
  last->drop_reference();
  streams.clear();
  EXPECT_EQ(cell.value, checks.size());
  EXPECT_EQ(cell.wrong, 0u);
  EXPECT_EQ(rig.cores.events().in_use(), 0u) << "a record's cell was not given back";
}

TEST_P(Events, FanOutAndFanInSeeEverything) {
  Rig rig({.executors = GetParam()});
  constexpr int kWorkers = 12;
  constexpr uint64_t kRounds = 500 / kSlowdown;
  Cell cells[kWorkers];
  struct Sum {
    Cell* cells;
    uint64_t round;
    uint64_t* wrong;
    static void run(void* self) {
      auto& sum = *static_cast<Sum*>(self);
      for (int w = 0; w < kWorkers; ++w) {
        *sum.wrong += sum.cells[w].value != sum.round + 1;
      }
    }
  };
  uint64_t wrong = 0;
  std::vector<Sum> sums(kRounds);
  std::vector<Check> checks(kRounds * kWorkers);
  {
    RigStream root(rig);
    std::vector<std::unique_ptr<RigStream>> workers;
    for (int w = 0; w < kWorkers; ++w) {
      workers.push_back(std::make_unique<RigStream>(rig, static_cast<uint8_t>(w % 3)));
    }
    for (uint64_t round = 0; round < kRounds; ++round) {
      EventCell* start = root.record();
      for (int w = 0; w < kWorkers; ++w) {
        Check& check = checks[round * kWorkers + static_cast<uint64_t>(w)];
        check = {&cells[w], round};
        workers[w]->wait(start);
        workers[w]->call(&Check::run, &check);
        EventCell* done = workers[w]->record();
        root.wait(done);
        done->drop_reference();
      }
      start->drop_reference();
      sums[round] = {cells, round, &wrong};
      root.call(&Sum::run, &sums[round]);
    }
  }
  EXPECT_EQ(wrong, 0u);
  for (const Cell& cell : cells) {
    EXPECT_EQ(cell.value, kRounds);
    EXPECT_EQ(cell.wrong, 0u);
  }
  EXPECT_EQ(rig.cores.events().in_use(), 0u);
}
INSTANTIATE_TEST_SUITE_P(Executors, Events, testing::Values(1u, 2u, 4u));

TEST(EventWait, PassesForACompleteRecord) {
  Rig rig;
  RigStream first(rig);
  RigStream second(rig);
  EventCell* cell = first.record();
  first.sync();
  ASSERT_TRUE(cell->complete());
  second.wait(cell);
  second.sync();
  cell->drop_reference();
}

}  // namespace
}  // namespace canopy::test
