#include "transport/faulty/faulty_transport.h"

#include "runtime/base/check.h"
#include "runtime/base/waiter.h"
#include "transport/base/blocking.h"
#include "transport/self/self_transport.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <vector>

namespace canopy::transport {
namespace {

using namespace std::chrono_literals;

constexpr int kPeer = 1;
constexpr size_t kWords = 512;

constexpr auto wait = [](FunctionRef<bool()> ready) {
  const auto end = wait_until(ready, nullptr, BellScope::process, Deadline::after(30s),
                              [] { return std::string("a test of the faulty transport waits"); });
  CHECK(end == WaitEnd::ready, "an operation must complete within 30 s");
};

FaultPlan plan_of(const char* text) { return FaultPlan::parse(text).value(); }

// A faulty transport to our own memory, twice: as peer 1 and as peer 2.
struct Rig {
  explicit Rig(const char* text, int salt = 0)
      : transport(std::make_unique<SelfTransport>(), plan_of(text), salt) {
    const std::span memory(reinterpret_cast<std::byte*>(words.data()), kWords * 8);
    EXPECT_TRUE(transport.register_region(0, memory));
    const PeerRegion region{.id = 0, .bytes = memory.size()};
    EXPECT_TRUE(transport.connect(kPeer, "", {&region, 1}));
    EXPECT_TRUE(transport.connect(kPeer + 1, "", {&region, 1}));
  }
  static Target at(size_t word, int peer = kPeer) { return {peer, 0, word * 8}; }

  std::vector<uint64_t> words = std::vector<uint64_t>(kWords);
  FaultyTransport transport;
};

TEST(FaultPlan, ReadsBackWhatItWrites) {
  const FaultPlan plan =
      plan_of("seed=7,delay=9,reorder,again=5,window=3,fail=1,drop=2,kill=4,only=6");
  EXPECT_EQ(plan.text(), "seed=7,delay=9,reorder,again=5,window=3,fail=1,drop=2,kill=4,only=6");
  EXPECT_EQ(plan_of(plan.text().c_str()).text(), plan.text());
  EXPECT_FALSE(plan_of("delay=3").seeded);
}

TEST(FaultPlan, NamesTheWordItDoesNotKnow) {
  for (const char* text :
       {"seed=1,bogus", "delay=x", "again=100", "window=0", "seed=", "only=-2"}) {
    EXPECT_EQ(FaultPlan::parse(text).error().code, Errc::parse) << text;
  }
  FaultPlan::parse("seed=1,bogus=2,reorder").error();
  EXPECT_NE(error_text::newest().find("'bogus=2'"), std::string::npos);
}

TEST(FaultyTransport, PromisesNoDirectAccess) {
  Rig rig("seed=1");
  EXPECT_FALSE(rig.transport.capabilities().direct);
  EXPECT_FALSE(rig.transport.direct(kPeer, 0));
  EXPECT_EQ(rig.transport.capabilities().name, "faulty self");
}

TEST(FaultyTransport, HoldsOperationsForAsManyPollsAsItsSeedSays) {
  const auto polls_needed = [](const char* text) {
    Rig rig(text);
    std::vector<int> polls;
    const uint64_t one = 1;
    for (size_t i = 0; i < 20; ++i) {
      Ticket ticket;
      EXPECT_TRUE(rig.transport.post_put(Rig::at(i), &one, sizeof one, &ticket));
      int count = 0;
      for (; !ticket.settled(); ++count) {
        rig.transport.progress();
      }
      polls.push_back(count);
    }
    return polls;
  };
  // The pump may take a poll over from a slow test, so equality is asked of most, not of all.
  const auto first = polls_needed("seed=5,delay=40");
  const auto again = polls_needed("seed=5,delay=40");
  const auto other = polls_needed("seed=6,delay=40");
  int equal = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    equal += first[i] == again[i];
  }
  EXPECT_GE(equal, 15);
  EXPECT_NE(first, other);
  EXPECT_GT(std::set<int>(first.begin(), first.end()).size(), 5u);
}

// The order in which puts without order among them arrive: each leaves its number, and what is
// there when all have left is the one that left last.
TEST(FaultyTransport, ReordersWhatNoFenceOrders) {
  Rig rig("seed=3,reorder,delay=8");
  std::vector<uint64_t> values(64);
  std::set<uint64_t> last;
  for (uint64_t round = 0; round < 20; ++round) {
    for (uint64_t i = 0; i < 8; ++i) {
      values[i] = i + 1;
      ASSERT_TRUE(rig.transport.post_put(Rig::at(0), &values[i], 8, nullptr));
    }
    ASSERT_TRUE(quiet(rig.transport, kPeer, wait));
    last.insert(rig.words[0]);
  }
  EXPECT_GT(last.size(), 2u) << "without a fence any of the 8 may be the last to arrive";
}

TEST(FaultyTransport, KeepsTheOrderThatAFenceMakes) {
  Rig rig("seed=3,reorder,delay=8");
  std::vector<uint64_t> values(64);
  for (uint64_t round = 0; round < 50; ++round) {
    for (uint64_t i = 0; i < 8; ++i) {
      values[i] = i + 1;
      ASSERT_TRUE(rig.transport.post_put(Rig::at(0), &values[i], 8, nullptr));
      rig.transport.fence();
    }
    ASSERT_TRUE(quiet(rig.transport, kPeer, wait));
    ASSERT_EQ(rig.words[0], 8u);
  }
}

TEST(FaultyTransport, LetsNoSignalPassThePutsBeforeIt) {
  Rig rig("seed=9,reorder,delay=20");
  std::vector<uint64_t> data(16);
  for (uint64_t round = 1; round <= 100; ++round) {
    std::fill(data.begin(), data.end(), round);
    for (size_t i = 0; i < data.size(); ++i) {
      ASSERT_TRUE(rig.transport.post_put(Rig::at(8 + i), &data[i], 8, nullptr));
    }
    ASSERT_TRUE(rig.transport.signal(Rig::at(0), {SignalOp::set, round}));
    wait([&] { return rig.transport.progress(), load_acquire(&rig.words[0]) == round; });
    for (size_t i = 0; i < data.size(); ++i) {
      ASSERT_EQ(rig.words[8 + i], round);
    }
  }
}

TEST(FaultyTransport, DeliversWithoutBeingPolled) {
  Rig rig("seed=2,delay=5");
  const uint64_t value = 42;
  Ticket ticket;
  ASSERT_TRUE(rig.transport.post_put(Rig::at(3), &value, sizeof value, &ticket));
  wait([&] { return ticket.settled(); });
  EXPECT_EQ(rig.words[3], 42u);
}

TEST(FaultyTransport, TellsWhatItHasDeliveredToWhom) {
  Rig rig("seed=2");
  std::vector<int> told;
  rig.transport.on_delivery([&](int peer) { told.push_back(peer); });
  uint64_t value = 42;
  ASSERT_TRUE(put(rig.transport, Rig::at(3), &value, sizeof value, wait));
  ASSERT_TRUE(signal(rig.transport, Rig::at(3, kPeer + 1), {SignalOp::add, 1}, wait));
  ASSERT_TRUE(get(rig.transport, &value, Rig::at(3), sizeof value, wait));
  EXPECT_EQ(told, (std::vector<int>{kPeer, kPeer + 1})) << "a get changes nothing there";
}

TEST(FaultyTransport, RefusesAShareOfPostsAndBeyondItsWindow) {
  Rig rig("seed=4,again=50");
  const uint64_t value = 1;
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    const auto posted = rig.transport.post_put(Rig::at(0), &value, 8, nullptr);
    refused += !posted && posted.error().code == Errc::again;
  }
  EXPECT_GT(refused, 50);
  EXPECT_LT(refused, 150);

  Rig narrow("seed=4,delay=1000000,window=2");
  ASSERT_TRUE(narrow.transport.post_put(Rig::at(0), &value, 8, nullptr));
  ASSERT_TRUE(narrow.transport.post_put(Rig::at(0), &value, 8, nullptr));
  EXPECT_EQ(narrow.transport.post_put(Rig::at(0), &value, 8, nullptr).error().code, Errc::again);
}

TEST(FaultyTransport, FailsOneOperationAtTheSamePointForTheSameSeed) {
  const auto point = [](const char* text, int salt) {
    Rig rig(text, salt);
    const uint64_t value = 1;
    for (int i = 1; i <= 100; ++i) {
      if (!put(rig.transport, Rig::at(static_cast<size_t>(i)), &value, 8, wait)) {
        EXPECT_EQ(rig.words[static_cast<size_t>(i)], 0u) << "what failed must not have happened";
        return i;
      }
    }
    return 0;
  };
  const int first = point("seed=11,fail=100", 0);
  EXPECT_GT(first, 0);
  EXPECT_EQ(point("seed=11,fail=100", 0), first);
  EXPECT_NE(point("seed=11,fail=100", 1), first) << "another PE, another point";
  EXPECT_EQ(point("seed=11,fail=100,only=3", 0), 0) << "only PE 3 is to be hit";
}

TEST(FaultyTransport, TellsTheNextQuietOfAFailureThatHadNoTicket) {
  Rig rig("seed=1,fail=1");
  const uint64_t value = 1;
  ASSERT_TRUE(rig.transport.post_put(Rig::at(0), &value, 8, nullptr));
  const auto first = quiet(rig.transport, kPeer, wait);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Errc::io);
  EXPECT_TRUE(quiet(rig.transport, kPeer, wait)) << "it is told once";
}

TEST(FaultyTransport, LosesAPeerOnceAndSaysWhyFromThenOn) {
  Rig rig("seed=1,drop=1,delay=3");
  int calls = 0;
  rig.transport.on_error([&](int peer, Errc code, std::string_view sentence) {
    ++calls;
    EXPECT_EQ(peer, kPeer);
    EXPECT_EQ(code, Errc::peer_lost);
    EXPECT_NE(sentence.find("peer 1"), std::string_view::npos);
  });
  const uint64_t value = 1;
  EXPECT_EQ(put(rig.transport, Rig::at(0), &value, 8, wait).error().code, Errc::peer_lost);
  EXPECT_EQ(put(rig.transport, Rig::at(0), &value, 8, wait).error().code, Errc::peer_lost);
  EXPECT_EQ(calls, 1);
  EXPECT_NE(rig.transport.trouble(kPeer), "");
  EXPECT_EQ(rig.transport.trouble(kPeer + 1), "");
  EXPECT_TRUE(put(rig.transport, Rig::at(0, kPeer + 1), &value, 8, wait)) << error_text::newest();
}

TEST(FaultyTransport, FailsWhatIsPendingToAPeerThatIsGivenUp) {
  Rig rig("seed=1,delay=1000000");
  const uint64_t value = 1;
  Ticket lost;
  Ticket kept;
  ASSERT_TRUE(rig.transport.post_put(Rig::at(0), &value, 8, &lost));
  ASSERT_TRUE(rig.transport.post_put(Rig::at(0, kPeer + 1), &value, 8, &kept));
  rig.transport.disconnect(kPeer, "its host is silent");
  wait([&] { return rig.transport.progress(), lost.settled(); });
  EXPECT_EQ(lost.error(), Errc::peer_lost);
  EXPECT_FALSE(kept.settled());
  EXPECT_EQ(rig.transport.trouble(kPeer), "its host is silent");
}

TEST(FaultyTransportDeathTest, KillsItsProcessAtItsPoint) {
  EXPECT_EXIT(
      {
        Rig rig("seed=1,kill=5");
        const uint64_t value = 1;
        for (int i = 0; i < 5; ++i) {
          (void)put(rig.transport, Rig::at(0), &value, 8, wait);
        }
        std::_Exit(0);
      },
      testing::KilledBySignal(SIGKILL), "the process is killed \\(replay: seed=1,kill=5\\)");
}

}  // namespace
}  // namespace canopy::transport
