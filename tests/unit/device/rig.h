// Rig: a scheduler with one device, and streams that post straight into strands: the device without
// driver and runtime core above it. A wait that does not end in 60 s ends the test program with the
// scheduler's own description, so that a lost wake-up is a failure and not a hang.
#pragma once

#include "canopy/kernel.h"
#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/base/waiter.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/abi/sqe.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/strand.h"

#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>

namespace canopy::test {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr int kSlowdown = 10;  // loops are shortened by it
#else
inline constexpr int kSlowdown = 1;
#endif

using KernelEntry = void (*)(const void* args);

inline KernelImage image_of(const char* name, KernelEntry entry, CoreKind kind = CoreKind::vector) {
  KernelImage image;
  image.name = name;
  image.trace_name = name;
  image.entry = entry;
  image.core_kind = kind;
  return image;
}

class Rig {
 public:
  struct Shape {
    uint32_t executors = 2;
    uint32_t cube_cores = 24;
    uint32_t vector_cores = 48;
    uint32_t stuck_ms = 10;
  };
  explicit Rig(Shape shape)
      : cores(0, shape.cube_cores, shape.vector_cores, 192 << 10),
        owned_scheduler_(*Scheduler::create({shape.executors, 64 << 10, shape.stuck_ms})) {
    scheduler.add_device(&cores);
    CHECK(scheduler.wait_timer().start(), "the tests need a thread for time limits");
  }
  Rig() : Rig(Shape{}) {}

  template <class Ready>
  void await(Ready&& ready, Doorbell* bell, const char* what) {
    const WaitEnd end = wait_until(ready, bell, BellScope::process, Deadline::after(std::chrono::seconds(60)),
                                   [&] { return std::string(what); });
    if (end == WaitEnd::deadline) {
      report(fmt::format("the test waited for 60 s for {}{}", what, describe_waits()));
      std::abort();
    }
  }

  DeviceCores cores;

 private:
  std::unique_ptr<Scheduler> owned_scheduler_;

 public:
  Scheduler& scheduler{*owned_scheduler_};
};

class RigStream {
 public:
  explicit RigStream(Rig& rig, uint8_t priority = 0)
      : rig_(rig), strand_(rig.scheduler, rig.cores, 1, priority) {}
  ~RigStream() { sync(); }

  template <class Fill>
  void post(Fill&& fill) {
    for (;;) {
      {
        std::lock_guard lock(strand_.producer_lock());
        if (Sqe* sqe = strand_.reserve()) {
          sqe->args_end = 0;
          sqe->heap_args = nullptr;
          fill(*sqe);
          strand_.publish();
          return;
        }
      }
      const uint64_t target = strand_.completed() + Strand::kRingEntries / 2;
      rig_.await([&] { return strand_.reached(target) || strand_.idle(); }, &strand_.bell(), "room in a ring");
    }
  }
  void call(CallFunction function, void* argument) {
    post([&](Sqe& sqe) {
      sqe.kind = SqeKind::call;
      sqe.body.call = {function, argument, "a test's call"};
    });
  }
  // `args` stays the caller's until the task has completed.
  void kernel(const KernelImage& image, uint32_t blocks, const void* args) {
    post([&](Sqe& sqe) {
      sqe.kind = SqeKind::kernel;
      sqe.launch = Sqe::kPlainLaunch;
      sqe.core_kind = static_cast<uint8_t>(image.core_kind);
      sqe.blocks = static_cast<uint16_t>(blocks);
      sqe.body.kernel.entry = image.entry;
      sqe.body.kernel.args = args;
      sqe.body.kernel.image = &image;
    });
  }
  // The record's cell, with a reference for the caller (drop_reference()).
  EventCell* record() {
    EventCell* cell = *rig_.cores.events().take(EventCell::kHolder + EventCell::kRecord);
    post([&](Sqe& sqe) {
      sqe.kind = SqeKind::event_record;
      sqe.timed = 0;
      sqe.body.event.cell = cell;
    });
    return cell;
  }
  void wait(EventCell* cell) {
    cell->add_shares(EventCell::kWait);
    post([&](Sqe& sqe) {
      sqe.kind = SqeKind::event_wait;
      sqe.body.event.cell = cell;
    });
  }
  void sync() {
    const uint64_t target = strand_.submitted();
    rig_.await([&] { return strand_.reached(target); }, &strand_.bell(), "a stream's tasks");
    rig_.await([&] { return strand_.idle(); }, nullptr, "a strand to be let go");
  }
  Strand& strand() { return strand_; }

 private:
  Rig& rig_;
  Strand strand_;
};

// Holds the executors of a rig that has one, from the end of the constructor until open(): everything can be queued
// before anything runs.
class HeldExecutor {
 public:
  explicit HeldExecutor(Rig& rig) : stream_(rig) {
    stream_.call(&HeldExecutor::wait, this);
    rig.await([&] { return reached_.load(); }, nullptr, "the executor that is held");
  }
  ~HeldExecutor() { open(); }
  void open() { open_.store(true); }

 private:
  static void wait(void* raw) {
    auto& self = *static_cast<HeldExecutor*>(raw);
    self.reached_.store(true);
    while (!self.open_.load()) {
      ::sched_yield();
    }
  }

  std::atomic<bool> reached_{false};
  std::atomic<bool> open_{false};
  RigStream stream_;  // waits for its task when it goes
};

}  // namespace canopy::test
