#include "runtime/device/wait_timer.h"

#include "runtime/base/clock.h"
#include "runtime/base/waiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace canopy {
namespace {

struct Limit : WaitTimer::Node {
  std::atomic<uint64_t> fired_at{0};
  std::atomic<uint32_t> fired{0};
  std::vector<Limit*>* order = nullptr;  // the timer's thread's alone

  static void run(Node* node) {
    auto* limit = static_cast<Limit*>(node);
    if (limit->order != nullptr) {
      limit->order->push_back(limit);
    }
    limit->fired_at.store(monotonic_ns());
    limit->fired.fetch_add(1);
  }
};

void arm(WaitTimer& timer, Limit& limit, uint64_t at_ns) {
  limit.at_ns = at_ns;
  limit.expire = &Limit::run;
  ASSERT_TRUE(timer.start());
  if (timer.arm(&limit)) {
    timer.wake();
  }
}

void await(const std::atomic<uint32_t>& count, uint32_t wanted) {
  ASSERT_EQ(
      wait_until([&] { return count.load() >= wanted; }, nullptr, BellScope::process,
                 Deadline::after(std::chrono::seconds(60)), [] { return std::string("limits"); }),
      WaitEnd::ready);
}

TEST(WaitTimer, ALimitFiresOnceAndNotEarly) {
  WaitTimer timer;
  Limit limit;
  const uint64_t at = monotonic_ns() + 20'000'000;
  arm(timer, limit, at);
  await(limit.fired, 1);
  EXPECT_GE(limit.fired_at.load(), at);
  EXPECT_EQ(timer.armed(), 0u);
  EXPECT_EQ(limit.fired.load(), 1u);
}

TEST(WaitTimer, LimitsFireInTheOrderOfTheirTimes) {
  WaitTimer timer;
  std::vector<Limit*> order;
  std::vector<std::unique_ptr<Limit>> limits;
  const uint64_t base = monotonic_ns() + 50'000'000;
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    limits.push_back(std::make_unique<Limit>());
    limits.back()->order = &order;
    arm(timer, *limits.back(), base + random() % 10'000'000);
  }
  for (auto& limit : limits) {
    await(limit->fired, 1);
  }
  ASSERT_EQ(order.size(), limits.size());
  for (size_t i = 1; i < order.size(); ++i) {
    EXPECT_LE(order[i - 1]->at_ns, order[i]->at_ns) << i;
  }
}

TEST(WaitTimer, AnEarlierLimitDoesNotWaitForALaterOne) {
  WaitTimer timer;
  Limit late;
  Limit early;
  arm(timer, late, monotonic_ns() + 3'600'000'000'000);
  for (uint32_t i = 1; i <= 50; ++i) {  // in some of them the timer's thread is asleep
    arm(timer, early, monotonic_ns() + 1'000'000);
    await(early.fired, i);
  }
  EXPECT_EQ(late.fired.load(), 0u);
  timer.cancel(&late);
  EXPECT_EQ(timer.armed(), 0u);
}

TEST(WaitTimer, ACancelledLimitDoesNotFire) {
  WaitTimer timer;
  std::vector<std::unique_ptr<Limit>> limits;
  std::mt19937 random(11);
  const uint64_t base = monotonic_ns() + 200'000'000;
  for (int i = 0; i < 100; ++i) {
    limits.push_back(std::make_unique<Limit>());
    arm(timer, *limits.back(), base + random() % 1'000'000);
  }
  for (size_t i = 0; i < limits.size(); i += 2) {
    timer.cancel(limits[i].get());
  }
  for (size_t i = 1; i < limits.size(); i += 2) {
    await(limits[i]->fired, 1);
  }
  for (size_t i = 0; i < limits.size(); i += 2) {
    EXPECT_EQ(limits[i]->fired.load(), 0u) << i;
  }
}

TEST(WaitTimer, AnIdleNodeMayBeCancelled) {
  WaitTimer timer;
  Limit limit;
  timer.cancel(&limit);
  EXPECT_EQ(timer.armed(), 0u);
}

// After cancel() the node may go: a function still running would touch freed memory.
TEST(WaitTimer, CancelWaitsForAFunctionThatIsRunning) {
  WaitTimer timer;
  uint64_t fired = 0;
  for (int i = 0; i < 2'000; ++i) {
    auto limit = std::make_unique<Limit>();
    arm(timer, *limit, monotonic_ns() + static_cast<uint64_t>(i % 50) * 100);
    timer.cancel(limit.get());
    fired += limit->fired.load();
  }
  EXPECT_EQ(timer.armed(), 0u);
  EXPECT_LE(fired, 2'000u);
}

TEST(WaitTimer, ServesSeveralThreads) {
  WaitTimer timer;
  std::atomic<uint32_t> ends{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1'000; ++i) {
        auto limit = std::make_unique<Limit>();
        arm(timer, *limit,
            monotonic_ns() + (i % 2 == 0 ? 1'000'000'000ull : static_cast<uint64_t>(t) * 1'000));
        timer.cancel(limit.get());
        ends.fetch_add(1);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(ends.load(), 4'000u);
  EXPECT_EQ(timer.armed(), 0u);
}

}  // namespace
}  // namespace canopy
