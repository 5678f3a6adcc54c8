#include "runtime/base/spin_lock.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace canopy {
namespace {

TEST(SpinLock, ExcludesEvenWithMoreThreadsThanCores) {
  SpinLock lock;
  uint64_t plain = 0;  // a lost update shows
  std::vector<std::jthread> threads;
  constexpr int kThreads = 8;
  constexpr uint64_t kEach = 50'000;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < kEach; ++i) {
        std::lock_guard guard(lock);
        ++plain;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(plain, kThreads * kEach);
}

TEST(SpinLock, TryLockFailsWhileHeld) {
  SpinLock lock;
  ASSERT_TRUE(lock.try_lock());
  bool got = true;
  std::thread([&] { got = lock.try_lock(); }).join();
  EXPECT_FALSE(got);
  lock.unlock();
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
}

}  // namespace
}  // namespace canopy
