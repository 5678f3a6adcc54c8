#include "runtime/base/doorbell.h"

#include "runtime/base/clock.h"
#include "runtime/base/mapping.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

namespace canopy {
namespace {

using std::chrono::nanoseconds;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kRounds = 20'000;
#else
constexpr uint64_t kRounds = 100'000;
#endif

// Two words and two bells; lies in memory shared between processes in one of the tests.
struct Table {
  alignas(kCacheLine) std::atomic<uint64_t> ball[2] = {0, 0};
  alignas(kCacheLine) Doorbell bells[2];
};

// Without a limit: a wake-up that is lost hangs here, and the test's time limit reports it.
void await(Table& table, int side, uint64_t value, BellScope scope) {
  while (table.ball[side].load(std::memory_order_acquire) != value) {
    table.bells[side].sleep(scope, nanoseconds::max(), [&] {
      return table.ball[side].load(std::memory_order_acquire) != value;
    });
  }
}

void play(Table& table, int side, BellScope scope) {
  const int other = 1 - side;
  for (uint64_t round = 1; round <= kRounds; ++round) {
    if (side == 0) {
      table.ball[other].store(round, std::memory_order_release);
      table.bells[other].ring(scope);
      await(table, side, round, scope);
    } else {
      await(table, side, round, scope);
      table.ball[other].store(round, std::memory_order_release);
      table.bells[other].ring(scope);
    }
  }
}

TEST(Doorbell, LosesNoWakeBetweenTwoSleepingThreads) {
  Table table;
  std::thread other([&] { play(table, 1, BellScope::process); });
  play(table, 0, BellScope::process);
  other.join();
  EXPECT_EQ(table.ball[0].load(), kRounds);
  EXPECT_EQ(table.bells[0].sleepers, 0u);
}

TEST(Doorbell, LosesNoWakeBetweenTwoSleepingProcesses) {
  auto fd = sealed_memfd("canopy-bell-test", sizeof(Table));
  auto memory = Mapping::shared(*fd, sizeof(Table));
  ASSERT_TRUE(memory);
  auto* table = new (memory->base()) Table;
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    play(*table, 1, BellScope::host);
    ::_exit(0);
  }
  play(*table, 0, BellScope::host);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(table->ball[1].load(), kRounds);
}

TEST(Doorbell, WakesEverySleeper) {
  constexpr int kSleepers = 6;
  Doorbell bell;
  std::atomic<bool> go{false};
  std::atomic<int> announced{0};
  std::vector<std::jthread> sleepers;
  for (int i = 0; i < kSleepers; ++i) {
    sleepers.emplace_back([&] {
      announced.fetch_add(1);
      while (!go.load(std::memory_order_acquire)) {
        bell.sleep(BellScope::process, nanoseconds::max(), [&] { return !go.load(std::memory_order_acquire); });
      }
    });
  }
  while (announced.load() != kSleepers) {
    std::this_thread::yield();
  }
  go.store(true, std::memory_order_release);
  bell.ring(BellScope::process);
  sleepers.clear();  // joins: hangs if one was left asleep
  EXPECT_EQ(bell.sleepers, 0u);
}

TEST(Doorbell, ReturnsWhenTheLimitHasPassed) {
  Doorbell bell;
  const uint64_t begin = monotonic_ns();
  bell.sleep(BellScope::process, std::chrono::milliseconds(20), [] { return true; });
  EXPECT_GE(monotonic_ns() - begin, 19'000'000u);
}

TEST(Doorbell, DoesNotSleepWhenNothingIsNeededAnyMore) {
  Doorbell bell;
  const uint64_t begin = monotonic_ns();
  bell.sleep(BellScope::process, std::chrono::seconds(30), [] { return false; });
  EXPECT_LT(monotonic_ns() - begin, 10'000'000'000u);
}

TEST(Doorbell, RingingWithoutASleeperTouchesNothing) {
  Doorbell bell;
  bell.ring(BellScope::process);
  EXPECT_EQ(bell.sequence, 0u) << "the producer must not pay for sleepers that are not there";
}

}  // namespace
}  // namespace canopy
