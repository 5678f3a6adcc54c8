#include "launcher/bootstrap/thread_group.h"

#include "tests/unit/base/thread_limit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace canopy {
namespace {

using std::chrono::milliseconds;

// Card of a PE in a round: other lengths for every PE, empty ones and NULs among them.
std::string card_of(int pe, int round) {
  std::string card;
  for (int i = 0; i < pe * 37 * (round % 3); ++i) {
    card.push_back(static_cast<char>((pe + round + i) % 7));
  }
  return card;
}

TEST(ThreadGroup, ExchangeGivesEveryPeAllCardsInOrder) {
  ThreadGroup group(4);
  std::atomic<int> good{0};
  group.run([&](std::unique_ptr<Bootstrap> me) {
    EXPECT_EQ(me->n_pes(), 4);
    EXPECT_EQ(me->kind(), "threads");
    for (int round = 0; round < 50; ++round) {
      auto cards = me->exchange(card_of(me->pe(), round));
      ASSERT_TRUE(cards);
      for (int pe = 0; pe < 4; ++pe) {
        ASSERT_EQ((*cards)[pe], card_of(pe, round)) << "pe " << pe << " round " << round;
      }
    }
    EXPECT_TRUE(me->finalize());
    ++good;
  });
  EXPECT_EQ(good, 4);
}

TEST(ThreadGroup, NobodyLeavesABarrierBeforeTheLastHasCome) {
  constexpr int kRounds = 1000;
  ThreadGroup group(4);
  std::atomic<int> arrivals{0};
  group.run([&](std::unique_ptr<Bootstrap> me) {
    for (int round = 1; round <= kRounds; ++round) {
      // Relaxed: the barrier under test is what orders it.
      arrivals.fetch_add(1, std::memory_order_relaxed);
      ASSERT_TRUE(me->barrier());
      ASSERT_GE(arrivals.load(std::memory_order_relaxed), round * 4);
    }
    EXPECT_TRUE(me->finalize());
  });
  EXPECT_EQ(arrivals, kRounds * 4);
}

TEST(ThreadGroup, AJobOfOneNeverWaits) {
  ThreadGroup group(1);
  auto me = group.bootstrap(0);
  EXPECT_EQ(*me->exchange("x"), std::vector<std::string>{"x"});
  EXPECT_TRUE(me->barrier());
  EXPECT_TRUE(me->finalize());
  EXPECT_TRUE(me->finalize());
  EXPECT_EQ(me->barrier().error().code, Errc::closed);
}

TEST(ThreadGroup, APeThatLeavesFailsTheOthersWait) {
  ThreadGroup group(4);
  std::atomic<int> failed{0};
  group.run([&](std::unique_ptr<Bootstrap> me) {
    ASSERT_TRUE(me->barrier());
    if (me->pe() == 2) {
      return;  // without finalize
    }
    EXPECT_EQ(me->barrier().error().code, Errc::peer_lost);
    EXPECT_NE(error_text::newest().find("pe 2 of 4 left the job without finalize"),
              std::string::npos)
        << error_text::newest();
    EXPECT_EQ(me->exchange("later").error().code, Errc::peer_lost);
    ++failed;
  });
  EXPECT_EQ(failed, 3);
}

TEST(ThreadGroup, APeThatNeverComesCanBeDeclaredLost) {
  ThreadGroup group(2);
  auto me = group.bootstrap(0);
  std::jthread other([&] { group.abandon(1, "could not start"); });
  EXPECT_EQ(me->barrier().error().code, Errc::peer_lost);
}

TEST(ThreadGroup, APeThatCannotStartIsLostForTheOthers) {
  ThreadGroup group(4);
  std::atomic<int> failed{0};
  test::ThreadLimit::refuse_from(3);
  group.run([&](std::unique_ptr<Bootstrap> me) {
    EXPECT_EQ(me->barrier().error().code, Errc::peer_lost);
    EXPECT_NE(error_text::newest().find("no thread for PE 2 of 4"), std::string::npos) << error_text::newest();
    ++failed;
  });
  test::ThreadLimit::lift();
  EXPECT_EQ(failed, 2);
}

TEST(ThreadGroup, AbortFailsTheOthersAndKeepsStatusAndReason) {
  ThreadGroup group(3);
  group.run([&](std::unique_ptr<Bootstrap> me) {
    if (me->pe() == 1) {
      me->abort(42, "for the test");
    }
    EXPECT_EQ(me->barrier().error().code, Errc::peer_lost);
    EXPECT_NE(error_text::newest().find("pe 1 of 3 ended the job with status 42: for the test"),
              std::string::npos)
        << error_text::newest();
  });
  ASSERT_TRUE(group.aborted());
  EXPECT_EQ(group.aborted()->pe, 1);
  EXPECT_EQ(group.aborted()->status, 42);
}

TEST(ThreadGroup, TheDeadlineNamesWhoIsMissing) {
  ThreadGroup group(3, milliseconds(20));
  auto pe0 = group.bootstrap(0);
  auto pe1 = group.bootstrap(1);
  EXPECT_EQ(pe0->barrier().error().code, Errc::timeout);
  EXPECT_NE(error_text::newest().find("not there: pe 1, pe 2"), std::string::npos)
      << error_text::newest();
  // The job is over for those who come too late.
  EXPECT_EQ(pe1->barrier().error().code, Errc::peer_lost);
}

TEST(ThreadGroup, BootstrapsOutliveTheGroup) {
  std::unique_ptr<Bootstrap> pes[2];
  {
    ThreadGroup group(2);
    pes[0] = group.bootstrap(0);
    pes[1] = group.bootstrap(1);
  }
  std::jthread other([&] { EXPECT_TRUE(pes[1]->finalize()); });
  EXPECT_TRUE(pes[0]->finalize());
}

TEST(ThreadGroup, SeveralGroupsDoNotDisturbEachOther) {
  ThreadGroup left(2);
  ThreadGroup right(2);
  std::jthread other([&] {
    right.run([](std::unique_ptr<Bootstrap> me) {
      EXPECT_EQ((*me->exchange("r")).size(), 2u);
      EXPECT_TRUE(me->finalize());
    });
  });
  left.run([](std::unique_ptr<Bootstrap> me) {
    EXPECT_EQ((*me->exchange("l"))[1], "l");
    EXPECT_TRUE(me->finalize());
  });
}

}  // namespace
}  // namespace canopy
