// Who is inside of what ends.
#include "shmem/lending/gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace canopy::shmem {
namespace {

const auto never = [] { return false; };

TEST(Gate, LetsInUntilItIsClosed) {
  Gate gate;
  {
    const Gate::Pass one = gate.enter();
    const Gate::Pass other = gate.enter();
    EXPECT_TRUE(one && other);
  }
  EXPECT_TRUE(gate.close(never, "a test"));
  EXPECT_FALSE(gate.enter());
  EXPECT_TRUE(gate.close(never, "a test")) << "who was refused is not inside";
}

TEST(Gate, TellsWhenItWaitsInVain) {
  Gate gate;
  const Gate::Pass stuck = gate.enter();
  EXPECT_FALSE(gate.close([] { return true; }, "a test"));
}

// What those inside use is gone right after close(): ThreadSanitizer sees whoever is late.
TEST(Gate, NobodyIsInsideAfterItsEnd) {
  for (int round = 0; round < 50; ++round) {
    Gate gate;
    std::atomic<int> busy{0};
    auto used = std::make_unique<int>(1);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (;;) {
          const Gate::Pass pass = gate.enter();
          if (!pass) {
            return;
          }
          EXPECT_EQ(*used, 1);
          busy.fetch_add(1, std::memory_order_relaxed);  // a counter
        }
      });
    }
    while (busy.load(std::memory_order_relaxed) == 0) {
      std::this_thread::yield();
    }
    EXPECT_TRUE(gate.close(never, "a test"));
    *used = 2;
    used.reset();
  }
}

}  // namespace
}  // namespace canopy::shmem
