// Nothing to do costs nothing.
#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>

namespace canopy::test {
namespace {

// The processor time this process uses in one second in which the test itself sleeps.
uint64_t cpu_ns_of_one_second() {
  const auto now = [] {
    timespec ts;
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return static_cast<uint64_t>(ts.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(ts.tv_nsec);
  };
  const uint64_t before = now();
  std::this_thread::sleep_for(std::chrono::seconds(1));  // the window that is measured
  return now() - before;
}

constexpr uint64_t kNothing = 3'000'000 * kSlowdown;  // 0.3 %: what sleeping itself may cost

TEST(Idle, ASchedulerWithoutWorkUsesNoProcessor) {
  Rig rig({.executors = 4});
  RigStream stream(rig);
  stream.call([](void*) {}, nullptr);
  stream.sync();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // let it fall asleep; not an order
  EXPECT_LT(cpu_ns_of_one_second(), kNothing);
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
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // spares retire after 50 ms
  EXPECT_LT(cpu_ns_of_one_second(), kNothing);
}

TEST(Idle, AStreamThatWaitsForAnEventUsesNoProcessor) {
  Rig rig;
  RigStream waiting(rig);
  EventCell* cell = *rig.cores.events().take(1);
  waiting.wait(cell);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LT(cpu_ns_of_one_second(), kNothing);
  RigStream recording(rig);
  cell->acquire_reference();
  recording.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::event_record;
    sqe.timed = 0;
    sqe.body.event.cell = cell;
  });
  waiting.sync();
  cell->drop_reference();
}

TEST(Idle, AHostThreadThatWaitsForAStreamUsesNoProcessor) {
  Rig rig;
  RigStream waiting(rig);
  RigStream recording(rig);
  EventCell* cell = *rig.cores.events().take(1);
  waiting.wait(cell);
  std::jthread host([&] { waiting.sync(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LT(cpu_ns_of_one_second(), kNothing);
  cell->acquire_reference();
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
