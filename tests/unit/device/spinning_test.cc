// Kernels that spin on plain memory, as they may on a card where each block has its core: whatever
// they wait for must get to run, however few executors there are.
#include "runtime/base/clock.h"
#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

namespace canopy::test {
namespace {

// Relaxed atomics without a yield: what a plain volatile loop is, but defined behaviour.
using Flag = std::atomic<uint32_t>;

void spin_until(const Flag& flag, uint32_t value) {
  while (flag.load(std::memory_order_relaxed) < value) {
    cpu_relax();
  }
}

class Spinning : public testing::TestWithParam<uint32_t> {
 protected:
  uint32_t executors() const { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Executors, Spinning, testing::Values(1u, 2u));

TEST_P(Spinning, FortyEightBlocksWaitForEachOtherOnAPlainFlag) {
  const KernelImage image = image_of("gather", [](const void* args) {
    auto& flag = **static_cast<Flag* const*>(args);
    flag.fetch_add(1, std::memory_order_relaxed);
    spin_until(flag, GetBlockNum());
  });
  Rig rig({.executors = executors()});
  RigStream stream(rig);
  for (int i = 0; i < 3; ++i) {
    Flag flag{0};
    Flag* args = &flag;
    stream.kernel(image, 48, &args);
    stream.sync();
    EXPECT_EQ(flag.load(), 48u);
  }
}

struct Pair {
  Flag flag{0};
};
void spin_for_flag(const void* args) { spin_until((*static_cast<Pair* const*>(args))->flag, 1); }
void set_flag(const void* args) { (*static_cast<Pair* const*>(args))->flag.store(1, std::memory_order_relaxed); }

// The second launch comes at a random moment: just when an executor stops looking for work, or falls
// asleep, or has been spinning for long.
TEST_P(Spinning, AKernelSpinsUntilTheKernelOfAnotherStreamHasRun) {
  const KernelImage spins = image_of("spins", &spin_for_flag);
  const KernelImage sets = image_of("sets", &set_flag);
  Rig rig({.executors = executors(), .stuck_ms = 1});
  RigStream first(rig);
  RigStream second(rig);
  std::mt19937 random(GetParam());
  const int rounds = 1'000 / kSlowdown;
  for (int i = 0; i < rounds; ++i) {
    Pair pair;
    Pair* args = &pair;
    first.kernel(spins, 1, &args);
    for (uint32_t delay = random() % (i % 4 == 0 ? 20'000 : 100); delay > 0; --delay) {
      cpu_relax();
    }
    second.kernel(sets, 1, &args);
    first.sync();
    second.sync();
  }
}

TEST_P(Spinning, SpinnersFillEveryExecutorBeforeTheOneTheyWaitFor) {
  const KernelImage spins = image_of("spins", &spin_for_flag);
  const KernelImage sets = image_of("sets", &set_flag);
  Rig rig({.executors = executors(), .stuck_ms = 1});
  std::vector<std::unique_ptr<RigStream>> streams;
  for (int s = 0; s < 6; ++s) {
    streams.push_back(std::make_unique<RigStream>(rig));
  }
  for (int i = 0; i < 100 / kSlowdown; ++i) {
    Pair pair;
    Pair* args = &pair;
    for (int s = 0; s < 5; ++s) {
      streams[s]->kernel(spins, 1, &args);
    }
    streams[5]->kernel(sets, 1, &args);
    for (auto& stream : streams) {
      stream->sync();
    }
  }
}

// A stream makes two others ready, then spins until the second of them has run, while the first spins
// as well: nobody is left who would look.
TEST_P(Spinning, WhatAStreamMadeReadyRunsAlthoughTheStreamGoesOnSpinning) {
  const KernelImage spins = image_of("spins", &spin_for_flag);
  const KernelImage sets = image_of("sets", &set_flag);
  Rig rig({.executors = executors(), .stuck_ms = 1});
  RigStream root(rig);
  RigStream left(rig);
  RigStream right(rig);
  for (int i = 0; i < 300 / kSlowdown; ++i) {
    Pair gate;
    Pair pair;
    Pair* gate_args = &gate;
    Pair* args = &pair;
    root.kernel(spins, 1, &gate_args);  // until all is queued
    EventCell* first = root.record();
    EventCell* second = root.record();
    left.wait(first);
    left.kernel(spins, 1, &args);
    right.wait(second);
    right.kernel(sets, 1, &args);
    root.kernel(spins, 1, &args);
    first->drop_reference();
    second->drop_reference();
    gate.flag.store(1, std::memory_order_relaxed);
    root.sync();
    left.sync();
    right.sync();
  }
}

struct Relay {
  Flag started{0};
  Flag released{0};
  Flag passed{0};
  static int is_released(void* self) { return static_cast<int>(static_cast<Relay*>(self)->released.load()); }
};

TEST_P(Spinning, PolledWaitsGoOnWhileABlockOfTheSameExecutorSpins) {
  const KernelImage image = image_of("relay", [](const void* args) {
    auto& relay = **static_cast<Relay* const*>(args);
    relay.started.fetch_add(1);
    if (GetBlockIdx() == GetBlockNum() - 1) {
      spin_until(relay.passed, GetBlockNum() - 1);
    } else {
      canopy_wait_until(&Relay::is_released, &relay, "the host");
      relay.passed.fetch_add(1, std::memory_order_relaxed);
    }
  });
  Rig rig({.executors = executors(), .stuck_ms = 2});
  RigStream stream(rig);
  for (int i = 0; i < 30 / kSlowdown + 1; ++i) {
    Relay relay;
    Relay* args = &relay;
    stream.kernel(image, 6, &args);
    rig.await([&] { return relay.started.load() == 6; }, nullptr, "all blocks to start");
    relay.released.store(1);
    stream.sync();
  }
}

TEST_P(Spinning, BlocksOfSyncAllGoOnWhileTheLastToArriveSpins) {
  const KernelImage image = image_of("after_sync", [](const void* args) {
    auto& relay = **static_cast<Relay* const*>(args);
    SyncAll();
    if (relay.started.fetch_add(1) == 0) {
      spin_until(relay.passed, GetBlockNum() - 1);  // the first to go on waits for all others
    } else {
      relay.passed.fetch_add(1, std::memory_order_relaxed);
    }
  });
  Rig rig({.executors = executors(), .stuck_ms = 2});
  RigStream stream(rig);
  for (int i = 0; i < 50 / kSlowdown + 1; ++i) {
    Relay relay;
    Relay* args = &relay;
    stream.kernel(image, 8, &args);
    stream.sync();
  }
}

// Long after the others have begun to wait: nothing has been there to do meanwhile, so nobody watches any more.
TEST_P(Spinning, BlocksOfSyncAllGoOnWhileTheLastToArriveComesLateAndSpins) {
  const KernelImage image = image_of("late_to_sync", [](const void* args) {
    auto& relay = **static_cast<Relay* const*>(args);
    if (relay.started.fetch_add(1) == GetBlockNum() - 1) {
      const uint64_t late = monotonic_ns() + 12'000'000;
      while (monotonic_ns() < late) {
      }
      SyncAll();
      spin_until(relay.passed, GetBlockNum() - 1);
    } else {
      SyncAll();
      relay.passed.fetch_add(1, std::memory_order_relaxed);
    }
  });
  Rig rig({.executors = executors(), .stuck_ms = 2});
  RigStream stream(rig);
  for (int i = 0; i < 5; ++i) {
    Relay relay;
    Relay* args = &relay;
    stream.kernel(image, 8, &args);
    stream.sync();
  }
}

TEST_P(Spinning, AYieldingBlockGoesOnWhileAnotherSpins) {
  const KernelImage image = image_of("yield_or_spin", [](const void* args) {
    auto& relay = **static_cast<Relay* const*>(args);
    if (GetBlockIdx() % 2 == 0) {
      for (int i = 0; i < 50; ++i) {
        canopy_yield();
      }
      relay.passed.fetch_add(1, std::memory_order_relaxed);
    } else {
      spin_until(relay.passed, GetBlockNum() / 2);
    }
  });
  Rig rig({.executors = executors(), .stuck_ms = 1});
  RigStream stream(rig);
  for (int i = 0; i < 50 / kSlowdown + 1; ++i) {
    Relay relay;
    Relay* args = &relay;
    stream.kernel(image, 8, &args);
    stream.sync();
  }
}

TEST_P(Spinning, ACallThatBlocksItsThreadDoesNotStopOtherStreams) {
  struct Meeting {
    std::mutex mutex;
    std::condition_variable changed;
    bool signalled = false;
  };
  const KernelImage signals = image_of("signals", [](const void* args) {
    auto& meeting = **static_cast<Meeting* const*>(args);
    {
      std::lock_guard lock(meeting.mutex);
      meeting.signalled = true;
    }
    meeting.changed.notify_one();
  });
  Rig rig({.executors = executors()});
  RigStream sleeper(rig);
  RigStream waker(rig);
  for (int i = 0; i < 20; ++i) {
    Meeting meeting;
    Meeting* args = &meeting;
    sleeper.call([](void* p) {
      auto& m = *static_cast<Meeting*>(p);
      std::unique_lock lock(m.mutex);
      m.changed.wait(lock, [&] { return m.signalled; });
    }, &meeting);
    waker.kernel(signals, 1, &args);
    sleeper.sync();
    waker.sync();
  }
}

// After the spares' work is done the regular executors serve alone again.
TEST_P(Spinning, LeavesAWorkingScheduler) {
  const KernelImage spins = image_of("spins", &spin_for_flag);
  Rig rig({.executors = executors(), .stuck_ms = 1});
  RigStream first(rig);
  RigStream second(rig);
  Pair pair;
  Pair* args = &pair;
  first.kernel(spins, 48, &args);
  std::atomic<uint32_t> ran{0};
  const auto add = [](void* p) { static_cast<std::atomic<uint32_t>*>(p)->fetch_add(1); };
  for (int i = 0; i < 1'000; ++i) {
    second.call(add, &ran);
  }
  second.sync();
  EXPECT_EQ(ran.load(), 1'000u) << "another stream must run while 48 blocks spin";
  pair.flag.store(1);
  first.sync();
  const uint32_t after = rig.scheduler.executor_count();
  for (int i = 0; i < 1'000; ++i) {
    first.call(add, &ran);
    second.call(add, &ran);
  }
  first.sync();
  second.sync();
  EXPECT_EQ(ran.load(), 3'000u);
  // An executor that the host's kernel takes off its CPU for a tick looks stuck: a few more are no
  // fault, a growth as under 48 spinning blocks is.
  EXPECT_LT(rig.scheduler.executor_count(), 2 * after) << "short tasks need no spares";
}

}  // namespace
}  // namespace canopy::test
