// Stream: the host's side of a strand. Host threads submit under lock_; the strand's owner runs.
//
// Life: made by a Context, destroyed by it after the strand is idle. Handles of destroyed streams are
// stale and found out by the handle table, not here.
//
// Tasks of a *stored* stream (ACL_STREAM_PERSISTENT) are kept, not run. An *abort* drops all tasks, those that are
// submitted meanwhile included; a *stop* drops the oldest one, the one that runs.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/spin_lock.h"
#include "runtime/base/waiter.h"
#include "runtime/core/submitters.h"
#include "runtime/device/strand.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <vector>

namespace canopy {

class Context;

// A place in a stream: behind its first `ticket` tasks.
struct StreamPoint {
  int32_t stream_id = -1;
  uint64_t ticket = 0;
};

enum class AbortReason : uint8_t { stream, device };

// What a stream is told and tells again. Relaxed throughout: numbers, nothing else.
struct StreamSettings {
  std::atomic<int32_t> failure_mode{-1};  // -1: never set
  std::atomic<uint32_t> overflow_switch{0};
  std::atomic<bool> saturates{false};  // since it was created
  std::atomic<uint32_t> custom_tag{0};
  std::atomic<uint32_t> cache_op_info{0};
};

class Stream {
 public:
  // Of tasks that wait to be run, or are stored; the ring has some more, so that one call may queue several.
  static constexpr uint32_t kDepth = 2013;

  Stream(Context& context, Scheduler& scheduler, DeviceCores& device, int32_t id, uint8_t priority,
         uint32_t flags, bool is_default);

  Context& context() { return context_; }
  const Context& context() const { return context_; }
  Strand& strand() { return strand_; }
  int32_t id() const { return strand_.stream_id(); }
  uint8_t priority() const { return strand_.priority(); }
  void set_priority(uint8_t priority) { strand_.set_priority(priority); }
  uint32_t flags() const { return flags_; }
  bool stored() const { return strand_.stored(); }
  StreamSettings& settings() { return settings_; }
  bool is_default() const { return default_; }

  // Queues one task: fill(sqe, args) writes the entry; `args` is memory for `args_bytes` bytes that
  // lives until the task has completed (null when args_bytes is 0). Waits while the ring is full.
  template <class Fill>
  void post(size_t args_bytes, Fill&& fill) {
    post_if(args_bytes, [&](Sqe& sqe, std::byte* args) {
      fill(sqe, args);
      return true;
    });
  }
  // For a call that blocks: another thread may end the stream meanwhile.
  class Held {
   public:
    explicit Held(Stream& stream) : stream_(stream) { stream_.hold(); }
    ~Held() { stream_.let_go(); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

   private:
    Stream& stream_;
  };

  // The same, but fill() may say no: then nothing is queued, and this returns false. It runs when the task has its place:
  // what other threads post to this stream once they see what it has done comes behind.
  template <class Fill>
  bool post_if(size_t args_bytes, Fill&& fill) {
    std::optional<Held> held;  // who ends the stream meanwhile waits for what is queued here
    for (;;) {
      {
        std::lock_guard lock(strand_.producer_lock());
        Sqe* sqe = strand_.reserve();
        if (sqe != nullptr) [[likely]] {
          sqe->submitter = submitter_of_this_thread();
          sqe->args_end = 0;
          sqe->heap_args = nullptr;
          std::byte* args = nullptr;
          if (args_bytes == 0 || take_args(args_bytes, sqe, &args)) [[likely]] {
            if (!fill(*sqe, args)) {
              return false;
            }
            if (!default_) {
              note_task_of_this_thread(strand_.submitted());
            }
            strand_.publish();
            return true;
          }
        }
      }
      if (!held) {
        held.emplace(*this);
      }
      wait_for_room();
    }
  }

  // Cores of a kind (0 cube, 1 vector) that its kernels may hold; 0: no limit of its own.
  // Relaxed: a number, nothing else.
  void set_core_limit(size_t kind, uint32_t cores) { core_limits_[kind].store(cores, std::memory_order_relaxed); }
  uint32_t core_limit(size_t kind) const { return core_limits_[kind].load(std::memory_order_relaxed); }

  uint64_t submitted() const { return strand_.submitted(); }
  bool query() const { return stored() || strand_.completed() >= strand_.submitted(); }
  // The context whose submissions it takes without being asked; null: check_accepts() is to be asked. On the
  // launch path. Relaxed: who submits while a stream closes may be in front of that.
  const Context* accepts_from() const { return accepts_from_.load(std::memory_order_relaxed); }
  void close() { accepts_from_.store(nullptr, std::memory_order_relaxed); }
  void reopen();
  // Whether a task may be submitted now: Errc::kernel_fault when the context has stopped, device_aborted while that
  // is under way, again when a stored stream is full.
  Result<> check_accepts() const;
  // Before a copy that the host makes itself instead of the stream: what was queued has completed. Errc::
  // invalid_argument: a stored stream, whose runs could not make it again.
  Result<> synchronize_to_copy();
  // Returns when everything submitted before the call has completed; then the first task error since
  // the last call, as a Result. Errc::stream_timeout at the deadline.
  // With a failure, its exception callbacks have been called by then, unless they are left to the caller: who holds the
  // stream otherwise too, which a callback may end.
  enum class Callbacks : uint8_t { awaited, left };
  Result<> synchronize(Deadline deadline, Callbacks callbacks = Callbacks::awaited);
  // Waits until nothing of the stream is left with the device. Stored tasks are dropped.
  void drain();
  // For a stream that goes away: from here on it does not wait for what cannot come any more (records that were dropped, and
  // those of processes that have given a notify back). REQUIRES: taken off Scheduler::orders() afterwards.
  void leave_lost_waits();
  // Both.
  void drain_for_good();
  // Drops all tasks and waits until the one that runs has ended; who synchronises meanwhile hears of it. After
  // Errc::stream_timeout what was submitted before is still dropped, as soon as that one ends.
  Result<> abort(AbortReason reason, Deadline deadline);
  // For who blocks: whether there was one since, or was one then. Errc: stream_aborted, device_aborted.
  uint32_t aborts() const { return aborts_.load(std::memory_order_acquire); }
  Result<> check_aborts(uint32_t before) const;
  // The two halves of abort(), so that many streams can begin before one is waited for. Of one thread: other aborts
  // of the stream wait from the first to the second.
  void begin_abort(AbortReason reason);
  Result<> finish_abort(Deadline deadline);
  // Drops the oldest task, and waits until it has ended.
  Result<> stop(Deadline deadline);
  // Drops what is stored. REQUIRES: stored().
  void discard_stored() { strand_.discard_stored(); }
  // ---- Models. Who binds, seals and submits at a time is the program's to order, so all is relaxed.
  // The handle of the model that the stream is bound to, null: none.
  void* model() const { return model_.load(std::memory_order_relaxed); }
  void bind_to(void* model) { model_.store(model, std::memory_order_relaxed); }
  // From here on it takes no tasks, because ...; null: it does again. A text that stays.
  void seal(const char* because) { sealed_.store(because, std::memory_order_relaxed); }
  // Errc::bound. `what` it cannot be.
  Result<> check_unbound(const char* what) const;
  // Who destroys the stream asks first; one may. REQUIRES: it is found, under the lock that it is removed under.
  bool claim_end() { return !end_claimed_.exchange(true, std::memory_order_relaxed); }
  void forgo_end() { end_claimed_.store(false, std::memory_order_relaxed); }  // it stays; by who may
  // ---- Order across streams, for who hands memory from one to another. Kept of those streams only that ask.
  // From here on the events that this stream records tell who waits for them how far it had got.
  void note_followers() { followed_.store(true, std::memory_order_relaxed); }
  // Where the stream is; nowhere unless note_followers() was called.
  StreamPoint point() const {
    // Relaxed: who asks for followers and then records does both in one thread.
    return followed_.load(std::memory_order_relaxed) ? StreamPoint{id(), submitted()} : StreamPoint();
  }
  // What is submitted from here on runs behind `point`.
  void note_follows(const StreamPoint& point);
  // How many tasks of the stream `id` this one is known to run behind.
  uint64_t follows(int32_t id) const;

  // Threads that work with the stream without their caller having named it, so that he cannot know not
  // to destroy it: who destroys it drains it, then waits for them.
  void hold() { holders_.fetch_add(1, std::memory_order_relaxed); }
  // Release: pairs with await_holders().
  void let_go() { holders_.fetch_sub(1, std::memory_order_release); }
  void await_holders();

 private:
  static constexpr size_t kMaxFollows = 64;  // what is forgotten costs a chance to use memory again, nothing else
  bool take_args(size_t bytes, Sqe* sqe, std::byte** args);
  void wait_for_room();
  std::string describe_wait(uint64_t target) const;
  Result<> await_dropped(uint64_t ticket, Deadline deadline);
  Result<> stop_in_turn(Deadline deadline);
  void leave_model();

  Context& context_;
  std::atomic<const Context*> accepts_from_;
  const uint32_t flags_;
  const bool default_;  // here, where who submits looks anyway
  mutable Strand strand_;  // its producer lock serialises who submits
  StreamSettings settings_;
  std::atomic<void*> model_{nullptr};
  std::atomic<const char*> sealed_{nullptr};
  std::atomic<bool> end_claimed_{false};  // relaxed: a claim, nothing else
  // One abort() or stop() at a time. Not a mutex: an abort of the device holds those of all its streams.
  std::binary_semaphore abort_turn_{1};
  std::atomic<uint32_t> aborts_{0};    // begun and finished; odd while one is under way
  std::atomic<AbortReason> reason_{};  // of the newest
  std::atomic<uint32_t> core_limits_[2] = {};
  std::atomic<uint32_t> holders_{0};
  std::atomic<bool> followed_{false};
  mutable SpinLock follows_lock_;       // guards follows_
  std::vector<StreamPoint> follows_;    // one per stream, the newest kMaxFollows
};

}  // namespace canopy
