#include "runtime/base/waiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace canopy {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

const auto nobody = [] { return std::string("a test"); };

TEST(WaitUntil, ReturnsAtOnceWhenReady) {
  int polls = 0;
  const auto end = wait_until([&] { return ++polls == 1; }, nullptr, BellScope::process, Deadline::never(), nobody);
  EXPECT_EQ(end, WaitEnd::ready);
  EXPECT_EQ(polls, 1);
}

TEST(WaitUntil, GivesUpAtTheDeadlineAndNotBefore) {
  for (bool with_bell : {false, true}) {
    Doorbell bell;
    const uint64_t begin = monotonic_ns();
    const auto end = wait_until([] { return false; }, with_bell ? &bell : nullptr, BellScope::process,
                                Deadline::after(milliseconds(30)), nobody);
    EXPECT_EQ(end, WaitEnd::deadline);
    EXPECT_GE(monotonic_ns() - begin, 30'000'000u);
    EXPECT_LT(monotonic_ns() - begin, 5'000'000'000u);
  }
}

TEST(WaitUntil, ADeadlineInThePastStillLooksOnce) {
  EXPECT_EQ(wait_until([] { return true; }, nullptr, BellScope::process, Deadline::at_ns(1), nobody), WaitEnd::ready);
  EXPECT_EQ(wait_until([] { return false; }, nullptr, BellScope::process, Deadline::at_ns(1), nobody),
            WaitEnd::deadline);
}

TEST(WaitUntil, IsWokenByTheBell) {
  Doorbell bell;
  std::atomic<bool> ready{false};
  std::atomic<int> polls{0};
  std::jthread producer([&] {
    while (polls.load() < 100 || load_relaxed(&bell.sleepers) == 0) {
      std::this_thread::yield();
    }
    ready.store(true, std::memory_order_release);
    bell.ring(BellScope::process);
  });
  const auto end = wait_until(
      [&] {
        polls.fetch_add(1);
        return ready.load(std::memory_order_acquire);
      },
      &bell, BellScope::process, Deadline::after(std::chrono::seconds(30)), nobody);
  EXPECT_EQ(end, WaitEnd::ready);
}

TEST(WaitUntil, WithoutABellItSeesAPlainStore) {
  std::atomic<bool> ready{false};
  std::atomic<int> polls{0};
  std::jthread producer([&] {
    while (polls.load() < 3000) {  // past the spinning phase
      std::this_thread::yield();
    }
    ready.store(true, std::memory_order_release);
  });
  const auto end = wait_until(
      [&] {
        polls.fetch_add(1);
        return ready.load(std::memory_order_acquire);
      },
      nullptr, BellScope::process, Deadline::after(std::chrono::seconds(30)), nobody);
  EXPECT_EQ(end, WaitEnd::ready);
}

TEST(WaitCrowded, PollsWhileAllAreElsewhereAndElseYieldsAtOnce) {
  for (const bool elsewhere : {false, true}) {
    int polls = 0;
    int questions = 0;
    const auto end = wait_crowded([&] { return ++polls == 40; },
                                  [&] {
                                    ++questions;
                                    return elsewhere;
                                  },
                                  nullptr, BellScope::process, Deadline::never(), nobody, WakenBy::ours);
    EXPECT_EQ(end, WaitEnd::ready);
    EXPECT_EQ(polls, 40);
    // One for every poll where this core is needed; else one for many.
    if (elsewhere) {
      EXPECT_LE(questions, 10);
    } else {
      EXPECT_GE(questions, 30);
    }
  }
}

TEST(WaitCrowded, GivesUpAtTheDeadlineAndSeesABell) {
  const auto yes = [] { return true; };
  EXPECT_EQ(wait_crowded([] { return false; }, yes, nullptr, BellScope::process, Deadline::after(milliseconds(20)), nobody,
                         WakenBy::ours),
            WaitEnd::deadline);
  Doorbell bell;
  std::atomic<bool> ready{false};
  std::jthread producer([&] {
    while (load_relaxed(&bell.sleepers) == 0) {
      std::this_thread::yield();
    }
    ready.store(true, std::memory_order_release);
    bell.ring(BellScope::process);
  });
  EXPECT_EQ(wait_crowded([&] { return ready.load(std::memory_order_acquire); }, yes, &bell, BellScope::process,
                         Deadline::after(std::chrono::seconds(30)), nobody, WakenBy::ours),
            WaitEnd::ready);
}

TEST(Deadline, NeverNeverPasses) {
  EXPECT_TRUE(Deadline::never().is_never());
  EXPECT_TRUE(Deadline::after(nanoseconds::max()).is_never());
  EXPECT_FALSE(Deadline::never().passed(~0ull - 1));
  EXPECT_EQ(Deadline::never().left(5), nanoseconds::max());
}

TEST(Deadline, ANegativeSpanHasPassedAlready) {
  EXPECT_TRUE(Deadline::after(nanoseconds(-5)).passed(monotonic_ns()));
}

TEST(Deadline, LeftCountsDownToZero) {
  const auto deadline = Deadline::at_ns(1000);
  EXPECT_EQ(deadline.left(400).count(), 600);
  EXPECT_EQ(deadline.left(1000).count(), 0);
  EXPECT_EQ(deadline.left(2000).count(), 0);
}

TEST(WaitPacer, SleepsAfterAboutFiftyMicroseconds) {
  WaitPacer pacer;
  const uint64_t begin = monotonic_ns();
  while (!pacer.step()) {
  }
  EXPECT_GE(monotonic_ns() - begin, 40'000u);
  EXPECT_LT(pacer.waited_ns(), 5'000'000'000u);
}

TEST(WaitPacer, NapsGrowToOneMillisecondAndStartAgainAfterReset) {
  WaitPacer pacer;
  const nanoseconds first = pacer.next_nap();
  EXPECT_EQ(first.count(), 50'000);
  nanoseconds last = first;
  for (int i = 0; i < 20; ++i) {
    const nanoseconds next = pacer.next_nap();
    EXPECT_GE(next, last);
    last = next;
  }
  EXPECT_EQ(last.count(), 1'000'000);
  pacer.reset();
  EXPECT_EQ(pacer.next_nap(), first);
}

TEST(WaitPacer, NapsOfLongWaitsGrowWithTheWait) {
  const auto longest = [](uint64_t waited_ns) {
    WaitPacer pacer;
    nanoseconds last{};
    for (int i = 0; i < 20; ++i) {
      last = pacer.next_nap(waited_ns);
    }
    return last.count();
  };
  EXPECT_EQ(longest(0), 1'000'000);
  EXPECT_EQ(longest(64'000'000), 1'000'000);
  EXPECT_EQ(longest(640'000'000), 10'000'000);
  EXPECT_EQ(longest(3'600'000'000'000), 16'000'000);
}

// A budget of its own for the length of a test.
class OwnBudget {
 public:
  explicit OwnBudget(uint32_t limit) { SpinBudget::attach(&used, &own, limit); }
  ~OwnBudget() { SpinBudget::detach(); }
  uint32_t used = 0;
  uint32_t own = 0;
};

TEST(SpinBudget, NeverGivesOutMorePermitsThanItsLimit) {
  OwnBudget budget(2);
  std::atomic<int> holders{0};
  std::atomic<int> most{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) {
        if (SpinBudget::try_acquire()) {
          const int now = holders.fetch_add(1) + 1;
          int seen = most.load();
          while (now > seen && !most.compare_exchange_weak(seen, now)) {
          }
          holders.fetch_sub(1);
          SpinBudget::release();
        }
      }
    });
  }
  threads.clear();
  EXPECT_LE(most.load(), 2);
  EXPECT_GE(most.load(), 1);
  EXPECT_EQ(budget.used, 0u);
  EXPECT_EQ(budget.own, 0u);
}

TEST(SpinBudget, WithoutPermitsAWaitStillEnds) {
  OwnBudget budget(0);
  EXPECT_FALSE(SpinBudget::try_acquire());
  EXPECT_EQ(wait_until([] { return false; }, nullptr, BellScope::process, Deadline::after(milliseconds(2)), nobody),
            WaitEnd::deadline);
}

TEST(SpinBudget, ReleaseWithoutAcquireChangesNothing) {
  OwnBudget budget(3);
  SpinBudget::release();
  EXPECT_EQ(budget.used, 0u);
}

TEST(SpinBudget, APermitTakenBeforeDetachDoesNotCorruptTheNextCounter) {
  uint32_t used_before;
  {
    OwnBudget budget(1);
    ASSERT_TRUE(SpinBudget::try_acquire());
    used_before = budget.used;
  }
  SpinBudget::release();
  OwnBudget next(1);
  EXPECT_EQ(used_before, 1u);
  EXPECT_EQ(next.used, 0u);
  EXPECT_TRUE(SpinBudget::try_acquire());
  SpinBudget::release();
  EXPECT_EQ(next.used, 0u);
}

TEST(SpinBudget, EveryWaitGivesItsPermitBack) {
  OwnBudget budget(1);
  for (int i = 0; i < 50; ++i) {
    wait_until([] { return false; }, nullptr, BellScope::process, Deadline::after(nanoseconds(1000)), nobody);
  }
  EXPECT_EQ(budget.used, 0u);
  EXPECT_EQ(budget.own, 0u);
}

}  // namespace
}  // namespace canopy
