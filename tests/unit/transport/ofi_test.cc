// transport/ofi beyond the contract: what it costs, and what happens when libfabric says no.
#include "tests/unit/transport/ofi_pair.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace canopy::transport::ofi {
namespace {

using fake_fabric::Behaviour;
using fake_fabric::Traffic;

TEST(OfiCost, APutToACleanPeerIsItsOwnFlush) {
  OfiPair pair;
  ASSERT_TRUE(pair.put(0, 7));
  ASSERT_TRUE(pair.quiet());
  EXPECT_EQ(*pair.word(0), 7u);
  EXPECT_EQ(fake_fabric::counts().puts, 1u);
  EXPECT_EQ(fake_fabric::counts().delivered_puts, 1u);
  EXPECT_EQ(fake_fabric::counts().messages, 0u);
}

TEST(OfiCost, AStreamOfPutsIsFlushedOnce) {
  OfiPair pair;
  std::vector<uint64_t> values(50, 3);
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_TRUE(post_patiently(pair.near(), OfiPair::wait, [&] {
      return pair.near().post_put(OfiPair::at(8 * i), &values[i], 8, nullptr);
    }));
  }
  ASSERT_TRUE(pair.quiet());
  EXPECT_EQ(*pair.word(8 * 49), 3u);
  // The first, the flush, and at most a few whose predecessors had all arrived already.
  EXPECT_LE(fake_fabric::counts().puts, values.size() + 1);
  EXPECT_EQ(fake_fabric::counts().messages, 0u);
}

TEST(OfiCost, AQuietWithNothingPostedSendsNothing) {
  OfiPair pair;
  ASSERT_TRUE(pair.put(0, 7));
  ASSERT_TRUE(pair.quiet());
  const auto before = fake_fabric::counts();
  ASSERT_TRUE(pair.quiet());
  ASSERT_TRUE(pair.quiet(OfiPair::kPeer));
  EXPECT_EQ(fake_fabric::counts().puts, before.puts);
  EXPECT_EQ(fake_fabric::counts().messages, before.messages);
}

TEST(OfiCost, AQuietToOnePeerLeavesTheOthersAlone) {
  OfiPair pair;
  pair.connect(2);
  std::vector<uint64_t> values(4, 1);
  for (int peer : {1, 1, 2, 2}) {  // the second of each makes its lane dirty
    ASSERT_TRUE(post_patiently(pair.near(), OfiPair::wait, [&] {
      return pair.near().post_put(OfiPair::at(64, peer), values.data(), 8, nullptr);
    }));
  }
  const auto before = fake_fabric::counts();
  ASSERT_TRUE(pair.quiet(1));
  EXPECT_LE(fake_fabric::counts().puts - before.puts, 1u);
  ASSERT_TRUE(pair.quiet());
}

TEST(OfiBackPressure, ComesAtOnceAndTakesNothing) {
  OfiPair pair({.refuse = 1'000'000'000});
  uint64_t value = 5;
  Ticket ticket;
  EXPECT_EQ(pair.near().post_put(OfiPair::at(0), &value, 8, &ticket).error().code, Errc::again);
  EXPECT_EQ(pair.near().post_get(&value, OfiPair::at(0), 8, &ticket).error().code, Errc::again);
  EXPECT_EQ(pair.near().post_amo(OfiPair::at(0), {}, &value, &ticket).error().code, Errc::again);
  EXPECT_EQ(pair.near().signal(OfiPair::at(0), {SignalOp::set, 1}).error().code, Errc::again);
  EXPECT_FALSE(ticket.settled());
  EXPECT_EQ(fake_fabric::counts().puts, 0u);
}

TEST(OfiBackPressure, SleepersAreToldWhenThereMayBeRoom) {
  fake_fabric::reset({});
  OfiPair pair({.refuse = 20});
  Doorbell bell;
  pair.near().on_arrival([&] { bell.ring(BellScope::process); });
  uint64_t value = 5;
  Result<> posted = pair.near().post_put(OfiPair::at(0), &value, 8, nullptr);
  // Nobody but the transport's own thread progresses.
  const auto end = wait_until(
      [&] {
        if (!posted) {
          posted = pair.near().post_put(OfiPair::at(0), &value, 8, nullptr);
        }
        return posted.has_value();
      },
      &bell, BellScope::process, Deadline::after(std::chrono::seconds(30)),
      [] { return std::string("a post"); });
  EXPECT_EQ(end, WaitEnd::ready);
  ASSERT_TRUE(pair.quiet());
}

TEST(OfiErrors, AFailedPutFailsTheNextQuietWithTheProvidersWords) {
  OfiPair pair;
  fake_fabric::fail_next(Traffic::put, FI_EIO, "the cable is cut");
  (void)pair.put(0, 1);
  const auto quiet = pair.quiet();
  ASSERT_FALSE(quiet);
  EXPECT_EQ(quiet.error().code, Errc::io);
  EXPECT_EQ(pair.errors, 1);
  EXPECT_NE(pair.last_error.find("the cable is cut"), std::string::npos) << pair.last_error;
  EXPECT_NE(pair.near().trouble(OfiPair::kPeer).find("4242"), std::string::npos);
}

TEST(OfiErrors, AFailedGetFailsItsTicketAndWhatFollows) {
  OfiPair pair;
  uint64_t value = 0;
  fake_fabric::fail_next(Traffic::get, FI_ECONNRESET, "reset by peer");
  const auto got = transport::get(pair.near(), &value, OfiPair::at(0), 8, OfiPair::wait);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::peer_lost);
  EXPECT_NE(error_text::newest().find("reset by peer"), std::string::npos);
  // Order is lost with the operation: nothing more goes to that peer.
  EXPECT_EQ(pair.put(0, 1).error().code, Errc::peer_lost);
}

TEST(OfiErrors, AnInjectThatFailsWithoutANameLosesWhoeverHadSomethingUnderWay) {
  OfiPair pair;
  pair.connect(2);
  ASSERT_TRUE(pair.put(0, 1, 2));
  ASSERT_TRUE(pair.quiet());
  ASSERT_TRUE(pair.put(0, 1));
  fake_fabric::fail_next(Traffic::put, FI_EIO, "lost");
  uint64_t value = 2;
  (void)pair.near().post_put(OfiPair::at(8), &value, 8, nullptr);
  EXPECT_FALSE(pair.quiet(OfiPair::kPeer));
  EXPECT_TRUE(pair.put(8, 4, 2)) << "the other peer had nothing to lose";
  EXPECT_TRUE(pair.quiet(2));
}

TEST(OfiErrors, LosingOnePeerLeavesTheOthers) {
  OfiPair pair;
  pair.connect(2);
  fake_fabric::fail_next(Traffic::put, FI_EHOSTUNREACH, "no route");
  (void)pair.put(0, 1);
  EXPECT_FALSE(pair.quiet());
  ASSERT_TRUE(pair.put(16, 9, 2));
  ASSERT_TRUE(pair.quiet(2));
  ASSERT_TRUE(pair.quiet()) << "the loss has been told already";
  EXPECT_EQ(*pair.word(16), 9u);
}

TEST(OfiErrors, DisconnectFailsWhatIsPendingAndWhatComes) {
  OfiPair pair;
  fake_fabric::freeze(true);
  uint64_t value = 0;
  Ticket amo;
  Ticket get;
  Ticket quiet;
  ASSERT_TRUE(pair.near().post_amo(OfiPair::at(0), {}, &value, &amo));
  ASSERT_TRUE(pair.near().post_get(&value, OfiPair::at(0), 8, &get));
  ASSERT_TRUE(pair.put(0, 1));
  ASSERT_TRUE(pair.near().post_quiet(kAllPeers, &quiet));
  pair.near().progress();
  EXPECT_FALSE(amo.settled() || get.settled() || quiet.settled());
  pair.near().disconnect(OfiPair::kPeer, "its host is silent");
  OfiPair::wait([&] { return amo.settled() && get.settled() && quiet.settled(); });
  EXPECT_EQ(amo.error(), Errc::peer_lost);
  EXPECT_EQ(get.error(), Errc::peer_lost);
  EXPECT_EQ(quiet.error(), Errc::peer_lost);
  EXPECT_EQ(pair.near().trouble(OfiPair::kPeer), "its host is silent");
  EXPECT_EQ(pair.errors, 1);
  EXPECT_EQ(pair.put(0, 2).error().code, Errc::peer_lost);
  // What the network still does with it finds nobody.
  fake_fabric::freeze(false);
  OfiPair::wait([&, polls = 0]() mutable { return pair.near().progress(), ++polls > 100; });
  EXPECT_EQ(fake_fabric::misuse(), "");
}

TEST(OfiProgress, AnIdleTargetServesWithoutCallingUs) {
  OfiPair pair;  // the far side's thread is all that serves
  for (uint64_t round = 1; round <= 20; ++round) {
    ASSERT_TRUE(pair.put(0, round));
    ASSERT_TRUE(pair.quiet());
    EXPECT_EQ(
        transport::amo(pair.near(), OfiPair::at(8), {AmoOp::add, 8, 1, 0}, OfiPair::wait).value(),
        round - 1);
  }
}

TEST(OfiProgress, WhatIsUnderWayMovesOnWhileItsOwnerComputes) {
  OfiPair pair;
  std::vector<std::byte> source(100'000, std::byte{7});
  Ticket ticket;
  ASSERT_TRUE(post_patiently(pair.near(), OfiPair::wait, [&] {
    return pair.near().post_put(OfiPair::at(0), source.data(), source.size(), nullptr);
  }));
  ASSERT_TRUE(pair.near().post_quiet(kAllPeers, &ticket));
  // Only the ticket is looked at: nobody calls progress().
  OfiPair::wait([&] { return ticket.settled(); });
  EXPECT_TRUE(ticket.done());
}

TEST(OfiMillion, NonblockingPutsNeedNoMoreThanTheQueue) {
  OfiPair pair;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr uint64_t kPuts = 50'000;
#else
  constexpr uint64_t kPuts = 1'000'000;
#endif
  std::vector<uint64_t> values(kPuts);
  for (uint64_t i = 0; i < kPuts; ++i) {
    values[i] = i;
    ASSERT_TRUE(post_patiently(pair.near(), OfiPair::wait, [&] {
      return pair.near().post_put(OfiPair::at(i % 1024 * 8), &values[i], 8, nullptr);
    }));
  }
  ASSERT_TRUE(pair.quiet());
  for (uint64_t i = 0; i < 1024; ++i) {
    EXPECT_EQ(*pair.word(i * 8) % 1024, i);
    EXPECT_GE(*pair.word(i * 8), kPuts - 2048);
  }
}

}  // namespace
}  // namespace canopy::transport::ofi
