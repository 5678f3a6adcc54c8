// Stripes over several rails: order, completion, and rails that fail, on networks that deliver when
// the test says so.
#include "runtime/base/check.h"
#include "runtime/base/waiter.h"
#include "tests/unit/transport/held_transport.h"
#include "transport/base/blocking.h"
#include "transport/rails/railed_transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <vector>

namespace canopy::transport::rails {
namespace {

constexpr int kPeer = 3;
constexpr int kOtherPeer = 4;
constexpr RegionId kRegion = 2;
constexpr RegionId kFirstRailOnly = 5;
constexpr size_t kBytes = 1u << 20;
constexpr size_t kLarge = 64u << 10;
constexpr size_t kLeast = 16u << 10;

class Rails : public testing::Test {
 protected:
  explicit Rails(uint64_t silence_ns = 60'000'000'000)
      : far_(kBytes), source_(kBytes), back_(kBytes) {
    for (size_t i = 0; i < kBytes; ++i) {
      source_[i] = static_cast<std::byte>(i * 31 + i / 251);
    }
    auto first = std::make_unique<HeldTransport>(far_);
    first_ = first.get();
    StripeOptions options{.least_bytes = kLeast, .smallest_chunk = 4096, .largest_chunk = 8192};
    options.silence_ns = silence_ns;
    RailedTransport::Keeper keeper;
    keeper.wanted = [this](int peer) { wanted_.push_back(peer); };
    keeper.failed = [this](const RailPtr& rail) {
      failed_rail_ = rail;
      ++failed_;
    };
    railed_ = std::make_unique<RailedTransport>(std::move(first), options, std::move(keeper));
    const PeerRegion regions[] = {{.id = kRegion, .bytes = kBytes},
                                  {.id = kFirstRailOnly, .bytes = kBytes}};
    for (const int peer : {kPeer, kOtherPeer}) {
      CHECK(railed_->connect(peer, "", regions), "the double must connect");
    }
    auto second = std::make_unique<HeldTransport>(far_);
    second_ = second.get();
    rail_ = std::make_shared<Rail>("10.0.0.2", std::move(second));
    for (const int peer : {kPeer, kOtherPeer}) {
      railed_->add_way(peer, rail_, {kRegion});
    }
  }

  static constexpr auto wait = [](FunctionRef<bool()> ready) {
    const auto end =
        wait_until(ready, nullptr, BellScope::process, Deadline::after(std::chrono::seconds(30)),
                   [] { return std::string("a test of transport/rails waits"); });
    CHECK(end == WaitEnd::ready, "an operation over rails must complete or fail within 30 s");
  };
  static Target at(uint64_t offset, int peer = kPeer) { return {peer, kRegion, offset}; }
  Result<> post_large(Ticket* done, uint64_t to = 0, size_t nbytes = kLarge) {
    return post_patiently(*railed_, wait,
                          [&] { return railed_->post_put(at(to), source_.data(), nbytes, done); });
  }
  static void let_pass(std::chrono::milliseconds span) {
    wait_until([] { return false; }, nullptr, BellScope::process, Deadline::after(span),
               [] { return std::string("time passes"); });
  }
  void turn(int times = 5) {
    for (int i = 0; i < times; ++i) {
      railed_->progress();
    }
  }
  bool is_there(uint64_t to = 0, size_t nbytes = kLarge) {
    return std::equal(source_.begin(), source_.begin() + static_cast<ptrdiff_t>(nbytes),
                      far_.begin() + static_cast<ptrdiff_t>(to));
  }
  void settles(const Ticket& ticket) {
    wait([&] {
      railed_->progress();
      return ticket.settled();
    });
  }

  std::vector<std::byte> far_;
  std::vector<std::byte> source_;
  std::vector<std::byte> back_;
  HeldTransport* first_ = nullptr;
  HeldTransport* second_ = nullptr;
  RailPtr rail_;
  std::unique_ptr<RailedTransport> railed_;
  std::vector<int> wanted_;
  RailPtr failed_rail_;
  std::atomic<int> failed_ = 0;
};

TEST_F(Rails, LargeTransfersTakeBothAndSmallOnesTheFirst) {
  ASSERT_TRUE(transport::put(*railed_, at(0), source_.data(), kLeast - 1, wait));
  EXPECT_EQ(second_->bytes(), 0u);
  for (const size_t nbytes : {kLeast, kLeast + 1, kLarge, kLarge + 4097, kBytes - 3}) {
    std::fill(far_.begin(), far_.end(), std::byte{0});
    const size_t before[] = {first_->bytes(), second_->bytes()};
    ASSERT_TRUE(transport::put(*railed_, at(1), source_.data(), nbytes, wait));
    EXPECT_TRUE(is_there(1, nbytes)) << nbytes;
    EXPECT_EQ(far_[0], std::byte{0});
    EXPECT_EQ(first_->bytes() + second_->bytes() - before[0] - before[1], nbytes);
    EXPECT_GT(first_->bytes(), before[0]);
    EXPECT_GT(second_->bytes(), before[1]);
    std::fill(back_.begin(), back_.end(), std::byte{0});
    const size_t between = second_->bytes();
    ASSERT_TRUE(transport::get(*railed_, back_.data() + 1, at(1), nbytes, wait));
    EXPECT_GT(second_->bytes(), between);
    EXPECT_TRUE(std::equal(back_.begin() + 1, back_.begin() + 1 + static_cast<ptrdiff_t>(nbytes),
                           source_.begin()));
  }
}

TEST_F(Rails, TheKeeperIsAskedOncePerPeerAndAgainWhenItSaysSo) {
  Ticket done;
  ASSERT_TRUE(post_large(&done));
  ASSERT_TRUE(post_large(nullptr));
  EXPECT_EQ(wanted_, std::vector<int>{kPeer});
  railed_->look_again_at(kPeer, 1);
  ASSERT_TRUE(post_large(nullptr));
  ASSERT_TRUE(post_large(nullptr));
  EXPECT_EQ(wanted_, (std::vector<int>{kPeer, kPeer}));
}

TEST_F(Rails, ARegionThatARailDoesNotReachGoesOverTheFirst) {
  ASSERT_TRUE(transport::put(*railed_, {kPeer, kFirstRailOnly, 0}, source_.data(), kLarge, wait));
  EXPECT_EQ(second_->bytes(), 0u);
  EXPECT_TRUE(is_there());
}

TEST_F(Rails, ArgumentsAreCheckedBeforeAnythingMoves) {
  EXPECT_EQ(railed_->post_put(at(kBytes - 10), source_.data(), kLarge, nullptr).error().code,
            Errc::out_of_range);
  EXPECT_NE(error_text::newest().find(std::to_string(kBytes)), std::string::npos);
  EXPECT_EQ(first_->bytes() + second_->bytes(), 0u);
}

TEST_F(Rails, AQuietWaitsForStripesBeforeItAndForNoneAfterIt) {
  second_->hold(true);
  ASSERT_TRUE(post_large(nullptr));
  Ticket quiet;
  ASSERT_TRUE(railed_->post_quiet(kAllPeers, &quiet));
  const size_t of_the_first = second_->under_way();
  ASSERT_GT(of_the_first, 0u);
  Ticket later;
  ASSERT_TRUE(post_large(&later, kBytes / 2));
  turn();
  EXPECT_FALSE(quiet.settled());
  EXPECT_FALSE(is_there());
  // What is under way arrives a piece at a time; the later transfer's last never does.
  wait([&] {
    if (!quiet.settled() && second_->under_way() > 0) {
      second_->arrive(1);
    }
    railed_->progress();
    return quiet.settled();
  });
  EXPECT_TRUE(quiet.done());
  EXPECT_TRUE(is_there());
  second_->hold(false);
  settles(later);
}

TEST_F(Rails, ASignalIsAcceptedAtOnceAndSentBehindTheStripes) {
  second_->hold(true);
  ASSERT_TRUE(post_large(nullptr));
  ASSERT_TRUE(railed_->signal(at(kBytes - 8), {.op = SignalOp::set, .value = 7}));
  ASSERT_TRUE(railed_->signal(at(kBytes - 8), {.op = SignalOp::set, .value = 8}));
  EXPECT_EQ(railed_->signal(at(kBytes - 12), {.op = SignalOp::set, .value = 7}).error().code, Errc::misaligned);
  // To somebody else it goes at once.
  ASSERT_TRUE(railed_->signal(at(kBytes - 16, kOtherPeer), {.op = SignalOp::set, .value = 9}));
  turn();
  EXPECT_EQ(first_->signals(), 1);
  Ticket quiet;
  ASSERT_TRUE(railed_->post_quiet(kPeer, &quiet));
  turn();
  EXPECT_FALSE(quiet.settled());
  second_->hold(false);
  settles(quiet);
  EXPECT_EQ(first_->signals(), 3);
  uint64_t word;
  std::memcpy(&word, far_.data() + kBytes - 8, sizeof word);
  EXPECT_EQ(word, 8u);
  EXPECT_TRUE(is_there());
}

TEST_F(Rails, ASignalIsSentWithoutAnybodyPolling) {
  second_->hold(true);
  ASSERT_TRUE(post_large(nullptr));
  ASSERT_TRUE(railed_->signal(at(kBytes - 8), {.op = SignalOp::set, .value = 7}));
  second_->hold(false);
  wait([&] { return first_->signals() == 1; });
}

TEST_F(Rails, AfterAFencePutsAndAmosWaitForStripesButGetsDoNot) {
  second_->hold(true);
  ASSERT_TRUE(post_large(nullptr));
  railed_->fence();
  const uint64_t value = 1;
  const auto small = [&] { return railed_->post_put(at(kBytes - 8), &value, 8, nullptr); };
  EXPECT_EQ(small().error().code, Errc::again);
  EXPECT_EQ(railed_->post_amo(at(kBytes - 8), {}, nullptr, nullptr).error().code, Errc::again);
  EXPECT_EQ(railed_->post_put(at(kBytes / 2), source_.data(), kLarge, nullptr).error().code,
            Errc::again);
  uint64_t back;
  EXPECT_TRUE(railed_->post_get(&back, at(0), sizeof back, nullptr));
  EXPECT_TRUE(railed_->post_put(at(kBytes - 8, kOtherPeer), &value, 8, nullptr));
  second_->hold(false);
  EXPECT_TRUE(post_patiently(*railed_, wait, small));
  EXPECT_TRUE(is_there());
}

TEST_F(Rails, StripesAfterAFenceWaitForWhatTheFirstRailCarries) {
  first_->hold(true);
  const uint64_t value = 0x1122334455667788;
  ASSERT_TRUE(railed_->post_put(at(kBytes - 8), &value, 8, nullptr));
  railed_->fence();
  Ticket done;
  ASSERT_TRUE(post_large(&done));
  turn();
  EXPECT_EQ(second_->bytes(), 0u);
  first_->hold(false);
  settles(done);
  EXPECT_GT(second_->bytes(), 0u);
  EXPECT_TRUE(is_there());
  // Without a further fence the next one need not wait.
  first_->hold(true);
  const size_t before = second_->bytes();
  ASSERT_TRUE(post_large(nullptr));
  EXPECT_GT(second_->bytes(), before);
  first_->hold(false);
}

TEST_F(Rails, ASlowRailGetsLess) {
  Ticket done;
  // The second rail arrives one item in 5 ms at most, the first at once.
  second_->hold(true);
  ASSERT_TRUE(post_large(&done, 0, kBytes));
  for (int i = 0; !done.settled(); ++i) {
    ASSERT_LT(i, 100'000);
    let_pass(std::chrono::milliseconds(5));
    second_->arrive(2);  // a chunk and the question whether it has arrived
    turn(1);
  }
  EXPECT_TRUE(is_there(0, kBytes));
  EXPECT_GT(second_->bytes(), 0u);
  EXPECT_LT(second_->bytes(), kBytes / 4);
}

TEST_F(Rails, WhatABrokenRailCarriedGoesOverTheFirstOnceItsEndsAreClosed) {
  second_->hold(true);
  Ticket put_done;
  Ticket get_done;
  ASSERT_TRUE(post_large(&put_done));
  std::copy_n(source_.begin(), kLarge, far_.begin() + kBytes / 2);
  ASSERT_TRUE(railed_->post_get(back_.data(), at(kBytes / 2, kOtherPeer), kLarge, &get_done));
  turn();
  second_->break_down(kPeer);
  wait([&] {
    railed_->progress();
    return failed_.load() == 1;
  });
  turn();
  // Nothing is sent again as long as something may arrive late.
  EXPECT_FALSE(put_done.settled());
  EXPECT_FALSE(get_done.settled());
  EXPECT_EQ(railed_->retire(rail_), (std::set<int>{kPeer}));
  rail_->transport.reset();
  turn();
  EXPECT_FALSE(get_done.settled());
  railed_->resend_gets(*rail_);
  settles(get_done);
  EXPECT_TRUE(get_done.done());
  EXPECT_TRUE(std::equal(back_.begin(), back_.begin() + kLarge, source_.begin()));
  turn();
  EXPECT_FALSE(put_done.settled());
  railed_->resend(*rail_, kOtherPeer);
  turn();
  EXPECT_FALSE(put_done.settled());
  railed_->resend(*rail_, kPeer);
  settles(put_done);
  EXPECT_TRUE(put_done.done());
  EXPECT_TRUE(is_there());
  EXPECT_EQ(failed_, 1);
  // And without the rail all goes on.
  ASSERT_TRUE(transport::put(*railed_, at(kBytes / 2), source_.data(), kLarge, wait));
  EXPECT_TRUE(is_there(kBytes / 2));
}

class SilentRails : public Rails {
 protected:
  SilentRails() : Rails(20'000'000) {}
};

TEST_F(SilentRails, ARailOnWhichNothingArrivesHasFailedWithoutAnybodyPolling) {
  second_->hold(true);
  Ticket done;
  ASSERT_TRUE(post_large(&done));
  wait([&] { return failed_.load() == 1; });
  EXPECT_EQ(failed_rail_, rail_);
  railed_->retire(rail_);
  rail_->transport.reset();
  railed_->resend_gets(*rail_);
  railed_->resend(*rail_, kPeer);
  settles(done);
  EXPECT_TRUE(done.done());
  EXPECT_TRUE(is_there());
}

TEST_F(SilentRails, AnIdleRailIsNotASilentOne) {
  Ticket done;
  ASSERT_TRUE(post_large(&done));
  settles(done);
  first_->hold(true);
  ASSERT_TRUE(post_large(nullptr));  // the first may take its time
  Ticket quiet;
  ASSERT_TRUE(railed_->post_quiet(kPeer, &quiet));
  let_pass(std::chrono::milliseconds(100));  // five times what makes a rail a silent one
  turn();
  EXPECT_FALSE(quiet.settled());
  first_->hold(false);
  settles(quiet);
  EXPECT_EQ(failed_, 0);
}

TEST_F(Rails, ALostPeerEndsItsTransfersAndNoOthers) {
  first_->hold(true);
  second_->hold(true);
  Ticket done;
  ASSERT_TRUE(post_large(&done));
  ASSERT_TRUE(post_large(nullptr, kBytes / 2));
  ASSERT_TRUE(railed_->signal(at(kBytes - 8), {.op = SignalOp::set, .value = 7}));
  Ticket quiet;
  ASSERT_TRUE(railed_->post_quiet(kPeer, &quiet));
  railed_->disconnect(kPeer, "its host went silent");
  settles(done);
  settles(quiet);
  EXPECT_EQ(done.error(), Errc::peer_lost);
  EXPECT_EQ(quiet.error(), Errc::peer_lost);
  EXPECT_EQ(railed_->post_put(at(0), source_.data(), kLarge, nullptr).error().code,
            Errc::peer_lost);
}

TEST_F(Rails, ARegionIsClosedWhenNoStripesAreInItAnyMore) {
  second_->hold(true);
  ASSERT_TRUE(post_large(nullptr));
  Ticket closed;
  EXPECT_EQ(railed_->close_region(kPeer, kRegion, &closed).error().code, Errc::again);
  EXPECT_TRUE(railed_->close_region(kPeer, kFirstRailOnly, &closed));
  second_->hold(false);
  Ticket later;
  const auto close = [&] { return railed_->close_region(kPeer, kRegion, &later); };
  EXPECT_TRUE(post_patiently(*railed_, wait, close));
}

TEST_F(Rails, TooManyTransfersAreBackPressure) {
  first_->hold(true);
  second_->hold(true);
  Result<> posted;
  int accepted = 0;
  for (; accepted < 1000 && posted; ++accepted) {
    posted = railed_->post_put(at(0), source_.data(), kLarge, nullptr);
  }
  EXPECT_EQ(posted.error().code, Errc::again);
  EXPECT_GT(accepted, 10);
  first_->hold(false);
  second_->hold(false);
  ASSERT_TRUE(transport::quiet(*railed_, kPeer, wait));
}

TEST(RailPace, KnowsTheSlowFromTheFastAndForgets) {
  RailPace fast;
  RailPace slow;
  for (RailPace* each : {&fast, &slow}) {
    each->begins(1'000'000);
    each->arrived(1000, 900'000'000, false);  // the first one connects
    EXPECT_EQ(each->ns_for(1000), 0);
    each->begins(1'000'000'000);
  }
  fast.arrived(1000, 1'000'001'000, false);
  slow.arrived(1000, 1'000'100'000, false);
  EXPECT_NEAR(fast.ns_for(1000), 1000, 1);
  EXPECT_NEAR(slow.ns_for(1000), 100'000, 1);
  // Two that arrive between two looks took the time of both.
  fast.begins(2'000'000'000);
  fast.arrived(1000, 2'000'002'000, true);
  fast.arrived(1000, 2'000'002'000, false);
  EXPECT_NEAR(fast.ns_for(1000), 1000, 1);
  EXPECT_NEAR(slow.hoped_ns_for(1000, 1'000'100'000), 100'000, 10);
  EXPECT_NEAR(slow.hoped_ns_for(1000, 1'000'100'000 + 1'000'000'000), 25'000, 10);
  EXPECT_NEAR(slow.ns_for(1000), 100'000, 1);
}

}  // namespace
}  // namespace canopy::transport::rails
