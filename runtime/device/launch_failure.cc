// The part of Scheduler that fails launches and ends their blocks: after a fault of one, and at a time limit.
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/abi/launch_options.h"
#include "runtime/device/fault_handler.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/task_fault.h"
#include "runtime/device/task_text.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

namespace canopy {
namespace {

std::atomic<FaultSink*> g_sink{nullptr};

// Centuries, for what does not fit.
uint64_t limit_ns(const Launch& launch) { return std::min(launch.options->limit_us, ~uint64_t{0} / 4'000) * 1'000; }

}  // namespace

// Release and acquire: the sink is whole before a task can fail.
void set_fault_sink(FaultSink* sink) { g_sink.store(sink, std::memory_order_release); }
FaultSink* fault_sink() { return g_sink.load(std::memory_order_acquire); }

void Scheduler::fail_launch(Launch& launch, int32_t code, std::string sentence) {
  // seq_cst: before the look at who waits; see canopy_sync_all().
  if (launch.failed.exchange(true, std::memory_order_seq_cst)) {
    return;  // the first one tells
  }
  Strand& strand = *launch.strand;
  report(fmt::format("device {} stream {}: {}", strand.device().device(), strand.stream_id(), sentence));
  strand.record_error(code, std::move(sentence));
  {
    std::lock_guard lock(ending_mutex_);
    ending_.push_back(&launch);
  }
  launch.ending = true;
  // Relaxed: the watchdog learns of it by being armed.
  failing_.fetch_add(1, std::memory_order_relaxed);
  release_waiting(launch);
  ring_pollers();
  interrupt_failed_blocks();
  arm_watchdog();
}

void Scheduler::interrupt_failed_blocks() {
  if (!end_block_handler_is_ours()) {
    static std::atomic<bool> told{false};
    if (!told.exchange(true, std::memory_order_relaxed)) {
      report(fmt::format("signal {} has a handler of the program now: kernels that run on after their time limit, or "
                         "after another block's fault, cannot be ended",
                         kEndBlockSignal));
    }
    return;
  }
  // A signal ends the system call that a block is in: only of blocks that are to end. They leave through
  // wait_for_interrupts(), so that none comes to the next one.
  std::lock_guard lock(ending_mutex_);
  std::vector<const Launch*> over = ending_;
  orders_.add_kernels_to(&over);
  // Who has left its block without having seen that it was to end has said so (Executor::run_entry()): the fence that
  // it does without. Where there is none, a system call of the next block may be cut short, once in a long while.
  membarrier(BellScope::process);
  const Executor* self = Executor::current();
  const uint32_t count = executor_count();
  for (uint32_t i = 0; i < count; ++i) {
    const Launch* runs = executors_[i]->launch();
    if (runs != nullptr && executors_[i].get() != self && std::find(over.begin(), over.end(), runs) != over.end()) {
      executors_[i]->interrupt_block();
    }
  }
  for (const auto& slot : devices_) {
    // Acquire: pairs with add_device().
    if (DeviceCores* device = slot.load(std::memory_order_acquire)) {
      device->aicpu().interrupt_blocks();
    }
  }
}

void Scheduler::wait_for_interrupts() {
  { std::lock_guard lock(ending_mutex_); }
  // Signals that were sent are taken at the end of a system call, if they have not been.
  ::syscall(SYS_getppid);
}

// ---- Time limits.

void Scheduler::begin_limit(Launch& launch) {
  WaitTimer::Node& node = launch.strand->limit;  // a stream that runs a kernel waits for no notify
  node.at_ns = monotonic_ns() + limit_ns(launch);
  node.strand = launch.strand;
  node.expire = [](WaitTimer::Node* passed) {
    Launch& over = passed->strand->launch();
    passed->strand->scheduler().end_limit(over);
  };
  launch.limited = true;
  if (wait_timer_.arm(&node)) {
    wait_timer_.wake();
  }
}

// On the timer's thread, for which settle() waits: the launch is there.
void Scheduler::end_limit(Launch& launch) {
  const uint64_t limit = limit_ns(launch);
  if (launch.kind != CoreKind::aicpu && !launch.strand->device().has_started(launch)) {
    // It waits for cores that others hold, which is no time of its own.
    WaitTimer::Node& node = launch.strand->limit;
    node.at_ns = monotonic_ns() + limit;
    if (wait_timer_.arm(&node)) {
      wait_timer_.wake();
    }
    return;
  }
  fail_launch(launch, fault_code(DeviceFault::timeout, launch.kind),
              fmt::format("kernel {} ran past its limit of {}", launch.image->name, describe_span(limit)));
}

void Scheduler::settle(Launch& launch) {
  if (launch.limited) {
    wait_timer_.cancel(&launch.strand->limit);
    // Again: its function may have found the launch waiting for cores, and armed it anew, after they had come.
    wait_timer_.cancel(&launch.strand->limit);
    launch.limited = false;
  }
  // Written by a block that has ended, or by the timer, whose function is over.
  if (launch.ending) {
    launch.ending = false;
    {
      std::lock_guard lock(ending_mutex_);
      std::erase(ending_, &launch);
    }
    failing_.fetch_sub(1, std::memory_order_relaxed);
  }
}

}  // namespace canopy
