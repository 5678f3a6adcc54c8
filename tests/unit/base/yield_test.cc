// Yields that keep those who wait for each other on different cores.
#include "runtime/base/yield.h"

#include <gtest/gtest.h>

#include <sched.h>

#include <atomic>
#include <thread>

namespace canopy {
namespace {

constexpr uint64_t kQuick = 300;
constexpr uint64_t kShared = 5'000;
constexpr uint64_t kWorked = 3'000'000;

// A thread whose yields take what it is told.
class Yielder {
 public:
  bool yield(uint64_t took_ns) {
    now_ns_ += took_ns;
    return rule_.after_yield(now_ns_, took_ns);
  }
  // How many yields of `took_ns` until it moves.
  int until_move(uint64_t took_ns) {
    int count = 1;
    while (!yield(took_ns)) {
      ++count;
    }
    return count;
  }
  void pass(uint64_t ns) { now_ns_ += ns; }
  uint64_t now_ns() const { return now_ns_; }

 private:
  MoveRule rule_;
  uint64_t now_ns_ = 1'000'000'000;
};

TEST(MoveRule, QuickYieldsMoveNobody) {
  Yielder one;
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_FALSE(one.yield(kQuick));
  }
}

TEST(MoveRule, ACoreThatIsSharedByThoseWhoWaitIsLeft) {
  Yielder one;
  EXPECT_EQ(one.until_move(kShared), static_cast<int>(MoveRule::kMostShared));
}

TEST(MoveRule, AnInterruptNowAndThenIsNoSharing) {
  Yielder one;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_FALSE(one.yield(i % 2 == 0 ? kShared : kQuick));
  }
}

TEST(MoveRule, AFullMachineSeesEverFewerMoves) {
  Yielder one;
  const uint64_t begin = one.now_ns();
  int moves = 0;
  while (one.now_ns() - begin < 10'000'000'000) {
    moves += one.yield(kShared) ? 1 : 0;
  }
  EXPECT_GE(moves, 10);
  EXPECT_LE(moves, 20) << "10 doublings, then one a second";
}

TEST(MoveRule, AfterACalmTimeItBeginsAnew) {
  Yielder one;
  for (int move = 0; move < 8; ++move) {
    one.until_move(kShared);
  }
  one.pass(MoveRule::kLongestPauseNs);
  EXPECT_EQ(one.until_move(kShared), static_cast<int>(MoveRule::kMostShared));
  EXPECT_LE(one.until_move(kShared) * kShared, 2 * MoveRule::kFirstPauseNs);
}

TEST(MoveRule, WhoWorksOnTheOldCoreIsLeftToTheKernel) {
  Yielder one;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_FALSE(one.yield(kWorked));
  }
}

TEST(MoveRule, WhoWorksOnTheNewCoreSendsItAwayAtOnce) {
  Yielder one;
  one.until_move(kShared);
  EXPECT_FALSE(one.yield(kQuick));
  EXPECT_TRUE(one.yield(kWorked));
  EXPECT_FALSE(one.yield(kWorked)) << "once";
}

TEST(MoveRule, AWorkerWhoComesLaterDoesNot) {
  Yielder one;
  one.until_move(kShared);
  for (uint32_t i = 0; i < MoveRule::kTrialYields; ++i) {
    EXPECT_FALSE(one.yield(kQuick));
  }
  EXPECT_FALSE(one.yield(kWorked));
}

// Two threads that wait for each other in turns, on one core to begin with. Whatever the rule does, what they are allowed stays.
TEST(YieldCore, LeavesTheAffinityAsItWas) {
  std::atomic<int> turn{0};
  const auto play = [&turn](int me) {
    cpu_set_t before, after;
    ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
    for (int round = 0; round < 2'000; ++round) {
      while (turn.load() != me) {
        yield_core();
      }
      turn = 1 - me;
    }
    ASSERT_EQ(::sched_getaffinity(0, sizeof after, &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
  };
  std::thread other(play, 1);
  play(0);
  other.join();
}

TEST(YieldCore, WhoMayUseOneCoreOnlyStaysThere) {
  std::thread([] {
    cpu_set_t one, after;
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(::sched_getcpu()), &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    std::atomic<bool> stop{false};
    std::thread other([&stop] {  // inherits the core
      while (!stop) {
        yield_core();
      }
    });
    for (int i = 0; i < 2'000; ++i) {
      yield_core();
    }
    stop = true;
    other.join();
    ASSERT_EQ(::sched_getaffinity(0, sizeof after, &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&one, &after));
  }).join();
}

}  // namespace
}  // namespace canopy
