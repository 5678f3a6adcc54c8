// Stream: the host's side of a strand. Host threads submit under lock_; the strand's owner runs.
//
// Life: made by a Context, destroyed by it after the strand is idle. Handles of destroyed streams are
// stale and found out by the handle table, not here.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/spin_lock.h"
#include "runtime/base/waiter.h"
#include "runtime/device/strand.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace canopy {

class Context;

// A place in a stream: behind its first `ticket` tasks.
struct StreamPoint {
  int32_t stream_id = -1;
  uint64_t ticket = 0;
};

class Stream {
 public:
  Stream(Context& context, Scheduler& scheduler, DeviceCores& device, int32_t id, uint8_t priority,
         uint32_t flags, bool is_default)
      : context_(context), strand_(scheduler, device, id, priority), flags_(flags), default_(is_default) {}

  Context& context() { return context_; }
  const Context& context() const { return context_; }
  Strand& strand() { return strand_; }
  int32_t id() const { return strand_.stream_id(); }
  uint8_t priority() const { return strand_.priority(); }
  uint32_t flags() const { return flags_; }
  bool is_default() const { return default_; }

  // Queues one task: fill(sqe, args) writes the entry; `args` is memory for `args_bytes` bytes that
  // lives until the task has completed (null when args_bytes is 0). Waits while the ring is full.
  template <class Fill>
  void post(size_t args_bytes, Fill&& fill) {
    for (;;) {
      {
        std::lock_guard lock(lock_);
        Sqe* sqe = strand_.reserve();
        if (sqe != nullptr) [[likely]] {
          sqe->args_end = 0;
          sqe->heap_args = nullptr;
          std::byte* args = nullptr;
          if (args_bytes == 0 || take_args(args_bytes, sqe, &args)) [[likely]] {
            fill(*sqe, args);
            strand_.publish();
            return;
          }
        }
      }
      wait_for_room();
    }
  }

  uint64_t submitted() const { return strand_.submitted(); }
  bool query() const { return strand_.completed() >= strand_.submitted(); }
  // Returns when everything submitted before the call has completed; then the first task error since
  // the last call, as a Result. Errc::stream_timeout at the deadline.
  Result<> synchronize(Deadline deadline);
  // Waits until nothing of the stream is left with the device.
  void drain();
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

  Context& context_;
  mutable SpinLock lock_;  // serialises producers
  Strand strand_;
  const uint32_t flags_;
  const bool default_;
  std::atomic<uint32_t> holders_{0};
  std::atomic<bool> followed_{false};
  mutable SpinLock follows_lock_;       // guards follows_
  std::vector<StreamPoint> follows_;    // one per stream, the newest kMaxFollows
};

}  // namespace canopy
