#include "runtime/base/clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace canopy {
namespace {

TEST(Clock, TheSystemClockIsMonotonicTime) {
  const uint64_t before = monotonic_ns();
  const uint64_t now = Clock::system().now_ns();
  EXPECT_GE(now, before);
  EXPECT_LE(now, monotonic_ns());
}

TEST(Clock, CanBeReplaced) {
  struct Stopped : Clock {
    uint64_t now_ns() const override { return 77; }
  };
  const Stopped stopped;
  const Clock& clock = stopped;
  EXPECT_EQ(clock.now_ns(), 77u);
}

TEST(TickScale, NeverRunsBackwards) {
  const uint64_t end = monotonic_ns() + 200'000'000;
  uint64_t last = 0;
  while (monotonic_ns() < end) {
    for (int i = 0; i < 100; ++i) {
      const uint64_t now = TickScale::to_ns(ticks());
      ASSERT_GE(now, last);
      last = now;
    }
  }
}

TEST(TickScale, NeverRunsBackwardsForSeveralThreads) {
  std::vector<std::jthread> threads;
  std::atomic<uint64_t> backwards{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      const uint64_t end = monotonic_ns() + 50'000'000;
      uint64_t last = 0;
      while (monotonic_ns() < end) {
        const uint64_t now = TickScale::to_ns(ticks());
        if (now < last) {
          backwards.fetch_add(1);
        }
        last = now;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(backwards.load(), 0u);
}

TEST(TickScale, StaysCloseToTheMonotonicClock) {
  // The best of several reads: a preemption between the two clocks is not the scale's error. The
  // figure is 1 us for each second since the scale was made, and this process is young.
  uint64_t best = ~0ull;
  for (int i = 0; i < 200; ++i) {
    const uint64_t before = monotonic_ns();
    const uint64_t ours = TickScale::to_ns(ticks());
    const uint64_t after = monotonic_ns();
    const uint64_t error = ours < before ? before - ours : ours > after ? ours - after : 0;
    best = std::min(best, error);
  }
  EXPECT_LT(best, 20'000u) << "ns";
}

TEST(TickScale, TheDistanceOfTwoTicksDoesNotDependOnWhenItIsAsked) {
  const uint64_t first = ticks();
  const uint64_t begin = monotonic_ns();
  while (monotonic_ns() - begin < 1'000'000) {
  }
  const uint64_t second = ticks();
  const auto early = static_cast<int64_t>(TickScale::to_ns(second) - TickScale::to_ns(first));
  while (monotonic_ns() - begin < 100'000'000) {
  }
  const auto late = static_cast<int64_t>(TickScale::to_ns(second) - TickScale::to_ns(first));
  EXPECT_EQ(early, late);
}

TEST(TickScale, TheRateIsThatOfTheTwoClocks) {
  const uint64_t tick = ticks();
  const uint64_t ns = monotonic_ns();
  while (monotonic_ns() - ns < 20'000'000) {
  }
  const double measured = static_cast<double>(ticks() - tick) / static_cast<double>(monotonic_ns() - ns);
  EXPECT_NEAR(TickScale::ticks_per_ns() / measured, 1.0, 1e-2);
}

}  // namespace
}  // namespace canopy
