// Strand: the device's side of a stream - its submission ring, and the right to run it.
//
// `pending` counts tasks that were published and not yet retired. The producer that raises it from 0
// hands the strand to the scheduler; from then on exactly one agent owns it (an executor that runs
// it, a ready queue, an event cell it waits for, or an open launch) until whoever retires the last
// task lowers `pending` to 0, after which only the producer may touch it. So a strand with
// pending == 0 may be destroyed.
//
// Producer side: under the stream's lock. Owner side: the owning executor. completed() and bell: any
// thread.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/ring.h"
#include "runtime/base/spin_lock.h"
#include "runtime/base/waiter.h"
#include "runtime/device/abi/sqe.h"
#include "runtime/device/args_ring.h"
#include "runtime/device/launch.h"
#include "runtime/device/wait_note.h"
#include "runtime/device/wait_timer.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace canopy {

class Scheduler;
class DeviceCores;
class FaultSink;
class Strand;

// Hears of failed tasks, on the thread that found the failure; holds no lock of the device's then.
class FailureSink {
 public:
  virtual void task_failed(Strand& strand, int32_t code, const std::string& sentence) = 0;

 protected:
  ~FailureSink() = default;
};

class Strand {
 public:
  static constexpr uint32_t kRingEntries = 2048;
  static constexpr uint8_t kPriorities = 8;

  // `stored`: its tasks are kept and not run.
  Strand(Scheduler& scheduler, DeviceCores& device, int32_t stream_id, uint8_t priority, bool stored = false,
         uint32_t ring_entries = kRingEntries);
  ~Strand();
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  // ---- Producer.
  SpinLock& producer_lock() { return producer_lock_; }
  Sqe* reserve() { return ring_.reserve(); }
  ArgsRing& args() { return args_; }
  // Publishes the reserved entry and, if the strand was idle, hands it to the scheduler.
  void publish();
  // Several at once: each is reserved and appended, then all `tasks` of them are published.
  void append() {
    ring_.publish();
    submitted_.store(submitted_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void publish_appended(uint32_t tasks);
  uint64_t submitted() const { return submitted_.load(std::memory_order_relaxed); }
  // The oldest task that has not completed, null when there is none; for reports. The owner may complete it
  // any time, but only a producer writes over it.
  const Sqe* oldest() const {
    const uint64_t done = completed();
    return done < submitted() ? &ring_.at(static_cast<uint32_t>(done)) : nullptr;
  }

  bool stored() const { return stored_; }
  // Drops all tasks. REQUIRES: stored().
  void discard_stored();
  // Calls use(task) for each task that is kept, in order. REQUIRES: stored().
  template <class Use>
  void each_stored(Use&& use) {
    std::lock_guard lock(producer_lock_);
    for (uint64_t at = completed(); at != submitted(); ++at) {
      use(ring_.at(static_cast<uint32_t>(at)));
    }
  }
  // Calls change(task) for task `ticket`, counted from the stream's first. False: it is not kept. REQUIRES:
  // stored().
  template <class Change>
  bool change_stored(uint64_t ticket, Change&& change) {
    std::lock_guard lock(producer_lock_);
    if (ticket < completed() || ticket >= submitted()) {
      return false;
    }
    change(ring_.at(static_cast<uint32_t>(ticket)));
    return true;
  }
  // The strand that runs copies of the tasks that are kept here, null: none does. Tasks that know this one
  // only fail there.
  void set_replayer(Strand* replayer) {
    std::lock_guard lock(error_lock_);
    replayer_ = replayer;
  }

  // ---- Any thread.
  // Tasks completed since creation. Acquire: shows what they did; pairs with retire().
  uint64_t completed() const { return completed_.load(std::memory_order_acquire); }
  bool idle() const { return pending_.load(std::memory_order_acquire) == 0; }
  // For waits on bell(): whether `target` tasks have completed; if not, asks to be rung when they have.
  bool reached(uint64_t target) {
    const uint64_t now = completed();
    return now >= target || ask_for(target, now);
  }
  // One wait's looks at reached(): the more tasks are ahead, the fewer, as each takes the line away from the executor, which
  // writes it with every task. (2026-11, 2 cores: task_gap_ns 67 to 101 with a look at every poll, 35 to 53 so.)
  class Watch {
   public:
    Watch(Strand& strand, uint64_t target) : strand_(strand), target_(target) {}
    bool operator()(Poll how) {
      if (how == Poll::in_passing && polls_left_ != 0) {
        --polls_left_;
        return false;
      }
      const uint64_t done = strand_.completed();
      if (done >= target_ || strand_.ask_for(target_, done)) {
        return true;
      }
      polls_left_ = static_cast<uint32_t>(std::min(target_ - done, kMostPolls) - 1);
      return false;
    }

   private:
    static constexpr uint64_t kMostPolls = 32;  // 0.6 us of pauses
    Strand& strand_;
    const uint64_t target_;
    uint32_t polls_left_ = 0;  // until the next look
  };
  Doorbell& bell() { return bell_; }
  int32_t stream_id() const { return stream_id_; }
  // Relaxed: tasks that are queued already may still go by the one before.
  uint8_t priority() const { return priority_.load(std::memory_order_relaxed); }
  void set_priority(uint8_t priority) { priority_.store(priority, std::memory_order_relaxed); }
  DeviceCores& device() { return device_; }
  Scheduler& scheduler() { return scheduler_; }
  // The code of the first failed task since the last take_error(), 0 when none; into `sentence` what was
  // said of it.
  int32_t take_error(std::string* sentence = nullptr) {
    // Relaxed: who synchronised has seen the failed task completed.
    return error_.load(std::memory_order_relaxed) == 0 ? 0 : take_error_slow(sentence);
  }
  // Of the oldest task. Tells the strand's FailureSink and the process's FaultSink. Nothing for a task that is
  // dropped. REQUIRES: the task cannot complete meanwhile (the caller owns the strand, or runs a block of the task,
  // or its limit).
  void record_error(int32_t code, std::string sentence = {});
  // The same by somebody else, of a task that is no kernel's and cannot complete before it is told to: the task ahead of it may
  // not have been retired. Who submitted it is not told.
  void record_error_from_outside(int32_t code, std::string sentence);
  // The failure of what another strand ran for the oldest task, and has told. REQUIRES: as above.
  void adopt_error(int32_t code, std::string sentence);
  // Tells of failures under numbers of their own: that of the next task to be appended is `number`. Producer.
  void number_next_task(uint64_t number) { number_offset_ = number - submitted(); }
  // Release: the sink is whole; pairs with record_error(). It outlives the strand.
  void set_failure_sink(FailureSink* sink) { sink_.store(sink, std::memory_order_release); }

  // Tasks before `ticket` (counted from the stream's first, which is 0) are not to run any more. Needs an entry in
  // Scheduler::orders() to be seen.
  void drop_below(uint64_t ticket) { drop_below_.store(ticket, std::memory_order_release); }
  static constexpr uint64_t kDropAll = ~0ull;
  // The stream is on its way out: a wait for a record that was dropped is over, as one for a notify that all other processes
  // have given back. Needs an entry as well.
  void leave_lost_waits() { leaves_lost_.store(true, std::memory_order_release); }
  bool leaves_lost_waits() const { return leaves_lost_.load(std::memory_order_acquire); }
  // Whether the oldest task is among them; for its owner, the blocks of its kernel, and who finds it in a cell.
  // Relaxed: while one of these looks, nothing completes.
  bool drops_head() const {
    return completed_.load(std::memory_order_relaxed) < drop_below_.load(std::memory_order_acquire);
  }

  // ---- Owner.
  // The oldest task. REQUIRES: some are left (see begin_batch(), retire()).
  Sqe* front() { return ring_.next(); }
  // Retires the oldest task. False when it was the last: the strand is then no longer the caller's.
  bool retire();
  Launch& launch() { return launch_; }
  // The executor that ran it last.
  uint32_t home() const { return home_; }
  void set_home(uint32_t executor) {
    home_ = executor;
    producers_home_ = executor;
  }
  // Whether it goes on behind the oldest task with something else than a wait, as far as is known.
  bool goes_on() const { return batch_ > 1 && !is_wait(ring_.after_next()->kind); }
  // The task behind the oldest, as far as is known without asking the producer; null: it is not.
  const Sqe* second() const { return batch_ > 1 ? ring_.after_next() : nullptr; }
  // Asks the cache for what running the strand will touch next; the producer has it now.
  void prefetch() const { prefetch_from(1); }  // behind the task that it is at
  void prefetch_from(uint32_t ahead) const {
    ring_.prefetch(ahead);
    prefetch_for_write(&pending_);
  }

 private:
  void free_arguments(const Sqe& sqe);
  bool end_batch();
  void linger();
  bool ask_for(uint64_t target, uint64_t now);
  int32_t take_error_slow(std::string* sentence);
  void record_error(int32_t code, std::string sentence, bool head_is_ours);
  void tell_of_fault(FaultSink& sink, int32_t code, const Sqe* head);
  void keep_error(int32_t code, std::string sentence);

  Scheduler& scheduler_;
  DeviceCores& device_;
  const int32_t stream_id_;
  std::atomic<uint8_t> priority_;
  const bool stored_;
  std::atomic<FailureSink*> sink_{nullptr};

  SpscRing<Sqe> ring_;
  ArgsRing args_;
  Launch launch_;
  std::atomic<uint64_t> drop_below_{0};  // written by who orders, read while orders are out
  std::atomic<bool> leaves_lost_{false};  // as well

  // Producer's line.
  alignas(kCacheLine) std::atomic<uint64_t> submitted_{0};
  SpinLock producer_lock_;  // serialises producers
  // Both: raised by the producer, lowered by the owner once per batch.
  alignas(kCacheLine) std::atomic<uint32_t> pending_{0};
  uint32_t producers_home_ = 0;  // home_, on a line that who hands the strand over has just got

 public:
  // The agent's that has the strand.
  alignas(kCacheLine) Strand* next_ready = nullptr;  // link in a ready queue
  Strand* next_waiter = nullptr;  // link in a notify's cell; in an event's, as EventCell::state
  WaitTimer::Node limit;          // of the notify that it waits for, or the kernel that it runs
  bool head_is_over = false;      // the wait at the head has ended; owner's

 private:
  uint32_t home_ = 0;

  // Owner's line; read by waiting host threads.
  alignas(kCacheLine) std::atomic<uint64_t> completed_{0};
  Doorbell bell_;
  // The completion count at which sleepers are rung; not above `completed_`: of no use any more. Each
  // waiter writes it before it announces itself at the bell, so the bell's membarrier covers it.
  std::atomic<uint64_t> ring_at_{0};
  uint32_t batch_ = 0;  // tasks known to be published and not yet run
  uint32_t taken_ = 0;  // tasks to take off pending_ when the batch is through
  uint32_t small_batches_ = 0;  // in a row
  std::atomic<int32_t> error_{0};  // written under error_lock_
  uint64_t number_offset_ = 0;  // to a task's number from its ticket
  SpinLock error_lock_;            // guards the two below
  Strand* replayer_ = nullptr;
  std::string error_sentence_;
  StrandNote note_;
  // Entries between the one that runs and the one that is fetched. (2026-11, 2 cores, task_gap_ns with the host on the other one: 98
  // without, 86 with 4, 82 with 8, 85 with 16; event_sync_other_ns 285, 253, 231, 274.)
  static constexpr uint32_t kAhead = 8;
};

inline bool Strand::retire() {
  const Sqe& sqe = *front();
  if (sqe.args_end != 0 || sqe.heap_args != nullptr) [[unlikely]] {
    free_arguments(sqe);
  }
  ring_.pop();
  if (batch_ == 0) [[unlikely]] {
    // First task since the strand was handed over. Acquire: pairs with publish().
    batch_ = taken_ = pending_.load(std::memory_order_acquire);
  }
  const uint32_t left = --batch_;
  // Release: the task's effects are visible to whoever sees it completed.
  const uint64_t completed = completed_.load(std::memory_order_relaxed) + 1;
  completed_.store(completed, std::memory_order_release);
  // Relaxed, and after the store for the compiler only: see reached() and Doorbell.
  compiler_barrier();
  if (completed >= ring_at_.load(std::memory_order_relaxed)) [[unlikely]] {
    bell_.ring(BellScope::process);
  }
  if (left > 1) [[likely]] {
    if (left > kAhead) {
      ring_.prefetch(kAhead);  // it lies in the producer's cache, and not in the way of what that writes next
    }
    return true;
  }
  if (left == 1) {
    prefetch_for_write(&pending_);  // the next retire() needs the producer's line
    return true;
  }
  return end_batch();
}

}  // namespace canopy
