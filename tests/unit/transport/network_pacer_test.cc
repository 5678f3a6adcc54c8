#include "transport/base/network_pacer.h"

#include <gtest/gtest.h>

namespace canopy::transport {
namespace {

using Awaits = NetworkPacer::Awaits;

// With one spin permit, until no_permits().
class Pacing : public testing::Test {
 protected:
  Pacing() { SpinBudget::attach(&used_, &own_, 1); }
  ~Pacing() override { SpinBudget::detach(); }
  void no_permits() { SpinBudget::attach(&used_, &own_, 0); }
  // Steps until it is time to sleep; the time that took.
  uint64_t ns_to_sleep(NetworkPacer& pacer) {
    const uint64_t begin = monotonic_ns();
    while (!pacer.step(false, [this] { return hears(); })) {
    }
    return monotonic_ns() - begin;
  }
  bool hears() {
    ++asked_;
    return heard_ != 0 && heard_-- != 0;
  }

  uint32_t used_ = 0;
  uint32_t own_ = 0;
  int asked_ = 0;
  int heard_ = 0;  // how often something is heard
};

TEST_F(Pacing, PeersAreWaitedForFor3MsAndListenedForBeforeASleep) {
  NetworkPacer pacer(Awaits::peers, false);
  EXPECT_GE(ns_to_sleep(pacer), 3'000'000u);
  EXPECT_EQ(asked_, 16);
  EXPECT_EQ(used_, 0u) << "who sleeps holds no permit";
}

TEST_F(Pacing, WhoHearsAPeerStartsAnew) {
  NetworkPacer pacer(Awaits::peers, false);
  heard_ = 3;
  EXPECT_GE(ns_to_sleep(pacer), 4 * 3'000'000u);
  EXPECT_EQ(asked_, 3 + 16);
}

TEST_F(Pacing, ALongWaitListensOnceBeforeEachSleep) {
  NetworkPacer pacer(Awaits::peers, false);
  ns_to_sleep(pacer);
  for (int i = 1; i <= 5; ++i) {
    EXPECT_TRUE(pacer.step(false, [this] { return hears(); })) << "woken for nothing, it sleeps again";
    EXPECT_EQ(asked_, 16 + i);
  }
}

TEST_F(Pacing, WorkStartsAnew) {
  NetworkPacer pacer(Awaits::peers, false);
  ns_to_sleep(pacer);
  EXPECT_FALSE(pacer.step(true, [this] { return hears(); }));
  EXPECT_GE(ns_to_sleep(pacer), 2'900'000u);
  EXPECT_EQ(asked_, 2 * 16) << "the next pause is listened to at length again";
}

TEST_F(Pacing, OwnPostsAreMovedOnFor20MsAndNeverListenedFor) {
  NetworkPacer pacer(Awaits::own_posts, false);
  heard_ = 1;
  EXPECT_GE(ns_to_sleep(pacer), 20'000'000u);
  EXPECT_EQ(asked_, 0);
}

// mpirun binds a rank to one core where there are enough: its peers have other cores.
TEST_F(Pacing, WhoIsBoundToOneCoreLingersWithoutAPermit) {
  no_permits();
  NetworkPacer pacer(Awaits::peers, false);
  EXPECT_GE(ns_to_sleep(pacer), 3'000'000u);
  EXPECT_EQ(asked_, 16);
}

TEST_F(Pacing, WhereRanksOutnumberCoresNobodyListensOrLingers) {
  no_permits();
  for (const Awaits awaits : {Awaits::peers, Awaits::own_posts}) {
    NetworkPacer pacer(awaits, true);
    int steps = 0;
    while (!pacer.step(false, [this] { return hears(); })) {
      ++steps;
    }
    EXPECT_LT(steps, 300) << "polls and yields are counted, not timed";
    EXPECT_EQ(asked_, 0);
  }
}

}  // namespace
}  // namespace canopy::transport
