// AiCpuEngine: the AI CPU cores of a device. Their kernels are ordinary host code - they may lock,
// allocate, wait - so they run on threads of their own, one per core, and never hold an executor.
//
// Blocks are started in the order of the launches, any number of launches at once. Threads start
// with the work and stay, asleep: as many as a launch has blocks before it is queued, more when several run at once. A block runs on a fiber of its thread, so that one that fails can
// be left where it is: by its own doing, by a fault of its code, or because its launch has failed
// (fault_handler.h). Thread-safe.
#pragma once

#include "runtime/base/clock.h"
#include "runtime/base/doorbell.h"
#include "runtime/base/mapping.h"
#include "runtime/device/busy_clock.h"
#include "runtime/device/fault.h"
#include "runtime/device/fiber.h"
#include "runtime/device/launch.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace canopy {

class AiCpuEngine {
 public:
  // REQUIRES: `clock` outlives it.
  AiCpuEngine(int device, uint32_t cores, BusyClock& clock) : device_(device), cores_(cores), clock_(clock) {}
  // REQUIRES: nothing is open.
  ~AiCpuEngine();
  AiCpuEngine(const AiCpuEngine&) = delete;
  AiCpuEngine& operator=(const AiCpuEngine&) = delete;

  uint32_t cores() const { return cores_; }
  // Before a launch of so many blocks is queued: threads for them. Errc::limit: there are not as many to be had.
  Result<> prepare(uint32_t blocks);
  // Runs the launch's blocks; the last one to end retires the task and hands the strand on. REQUIRES: prepared.
  void open(Launch* launch);

  // Core ticks spent in blocks so far.
  uint64_t busy_ticks() {
    std::lock_guard lock(mutex_);
    return clock_.busy(ticks());
  }

  // The block of an AI CPU that this thread runs; null on all other threads.
  static Block* block();
  // Ends the running block, with an error unless `code` is 0: nothing is unwound. REQUIRES: block() is not null.
  [[noreturn]] static void abandon_block(int32_t code, std::string sentence);
  // For handlers on this thread.
  static RunningBlock running_block();
  // Interrupts the blocks that run and are to end; who is missed, or not in kernel code just now, is asked again.
  void interrupt_blocks();

 private:
  struct Core;
  struct Thread {
    Mapping signal_memory;
    std::unique_ptr<Fiber> fiber;  // blocks run on it
    std::jthread thread;           // last: it uses the rest
  };
  static Core* current();
  static void fiber_main();
  static void run_entry(Block& block);
  [[noreturn]] static void leave_faulted_block();
  void thread_main(Thread& mine, uint32_t index);
  Result<> start_threads(uint32_t wanted);
  Result<std::unique_ptr<Thread>> make_thread(uint32_t index);
  bool claim(Core& core, Block* block);
  void note_ended(Core& core);
  static void end_block(const Block& block);
  bool work_waits() {
    std::lock_guard lock(mutex_);
    return first_ != nullptr;
  }

  const int device_;
  const uint32_t cores_;
  BusyClock& clock_;  // changed with mutex_ held
  std::atomic<bool> stopping_{false};
  Doorbell bell_;
  std::mutex mutex_;  // guards all below, and the open launches
  Launch* first_ = nullptr;
  Launch* last_ = nullptr;
  uint32_t waiting_blocks_ = 0;
  std::vector<Core*> running_;  // those with a block
  bool told_of_too_few_ = false;
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace canopy
