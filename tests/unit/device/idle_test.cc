// Nothing to do costs nothing.
#include "tests/unit/device/rig.h"

#include "runtime/device/notify_cell.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <memory>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

uint64_t cpu_ns() {
  timespec ts;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return static_cast<uint64_t>(ts.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(ts.tv_nsec);
}

// Whether this process, while the test itself sleeps, comes to use less than 0.3 % of a processor. On a
// loaded machine it takes a while until every thread has got to go to sleep, hence several windows;
// whoever never sleeps uses a processor in all of them.
bool falls_idle() {
  constexpr uint64_t kNothing = 1'500'000 * kSlowdown;
  for (int window = 0; window < 20; ++window) {
    const uint64_t before = cpu_ns();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // the window that is measured
    if (cpu_ns() - before < kNothing) {
      return true;
    }
  }
  return false;
}

TEST(Idle, ASchedulerWithoutWorkUsesNoProcessor) {
  Rig rig({.executors = 4});
  RigStream stream(rig);
  stream.call([](void*) {}, nullptr);
  stream.sync();
  EXPECT_TRUE(falls_idle());
}

TEST(Idle, SparesGoToSleepWhenTheSpinningIsOver) {
  const KernelImage spins = image_of("gather", [](const void* args) {
    auto& flag = **static_cast<std::atomic<uint32_t>* const*>(args);
    flag.fetch_add(1);
    while (flag.load(std::memory_order_relaxed) < GetBlockNum()) {
      cpu_relax();
    }
  });
  Rig rig({.executors = 2, .stuck_ms = 1});
  RigStream stream(rig);
  std::atomic<uint32_t> flag{0};
  std::atomic<uint32_t>* args = &flag;
  stream.kernel(spins, 24, &args);
  stream.sync();
  EXPECT_TRUE(falls_idle());
}

TEST(Idle, AStreamThatWaitsForAnEventUsesNoProcessor) {
  Rig rig;
  RigStream waiting(rig);
  EventCell* cell = *rig.cores.events().take(1);
  waiting.wait(cell);
  EXPECT_TRUE(falls_idle());
  RigStream recording(rig);
  cell->add_shares(EventCell::kRecord);
  recording.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::event_record;
    sqe.timed = 0;
    sqe.body.event.cell = cell;
  });
  waiting.sync();
  cell->drop_reference();
}

TEST(Idle, StreamsThatWaitForANotifyWithALimitUseNoProcessor) {
  Rig rig;
  auto* cell = NotifyCell::make();
  std::vector<std::unique_ptr<RigStream>> waiting;
  for (uint32_t i = 0; i < 20; ++i) {
    waiting.push_back(std::make_unique<RigStream>(rig));
    cell->acquire_reference();
    waiting.back()->post([&](Sqe& sqe) {
      sqe.kind = SqeKind::notify_wait;
      sqe.body.notify_wait = {cell, "notify", (900 + i) * 1'000'000'000ull, 0, 1, NotifyTest::equal, false};
    });
  }
  EXPECT_TRUE(falls_idle());
  EXPECT_EQ(rig.scheduler.wait_timer().armed(), 20u);
  RigStream recording(rig);
  cell->acquire_reference();
  recording.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::notify_record;
    sqe.body.notify_record = {cell, 1, NotifyChange::set};
  });
  for (auto& stream : waiting) {
    stream->sync();
  }
  EXPECT_EQ(rig.scheduler.wait_timer().armed(), 0u);
  cell->drop_reference();
}

TEST(Idle, AHostThreadThatWaitsForAStreamUsesNoProcessor) {
  Rig rig;
  RigStream waiting(rig);
  RigStream recording(rig);
  EventCell* cell = *rig.cores.events().take(1);
  waiting.wait(cell);
  std::jthread host([&] { waiting.sync(); });
  EXPECT_TRUE(falls_idle());
  cell->add_shares(EventCell::kRecord);
  recording.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::event_record;
    sqe.timed = 0;
    sqe.body.event.cell = cell;
  });
  host.join();
  cell->drop_reference();
}

}  // namespace
}  // namespace canopy::test
