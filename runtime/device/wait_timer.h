// WaitTimer: ends waits of streams whose time limit has passed. One per scheduler. Its thread
// starts before the first task with a limit is queued and sleeps until the earliest one, or without end while none is
// armed.
//
// Thread-safe. A node belongs to its wait; it is the timer's while armed. Whoever ends a wait
// before its limit calls cancel(), which returns only when the node's function does not run (any
// more): from then on the node and what it points to may go.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/result.h"
#include "runtime/base/spin_lock.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace canopy {

class Strand;

class WaitTimer {
 public:
  struct Node {
    uint64_t at_ns = 0;  // on the monotonic clock
    // Called by the timer's thread, which holds no lock then. May arm the node again.
    void (*expire)(Node* node) = nullptr;
    Strand* strand = nullptr;  // who waits
    uint32_t slot = kIdle;     // in heap_, kIdle while not armed; guarded by the timer's lock
  };

  WaitTimer() = default;
  ~WaitTimer() { stop(); }
  WaitTimer(const WaitTimer&) = delete;
  WaitTimer& operator=(const WaitTimer&) = delete;

  // For who queues a task with a limit: where the task runs nobody can be told that there is no thread. Errc::limit.
  Result<> start() {
    // Acquire: pairs with start_now().
    return started_.load(std::memory_order_acquire) ? Result<>() : start_now();
  }
  // True when the caller has to call wake() once it has let go of its locks. REQUIRES: not armed; started.
  [[nodiscard]] bool arm(Node* node);
  void wake();
  // REQUIRES: the caller holds no lock that the node's function takes.
  void cancel(Node* node);
  // Ends the thread; what is armed stays so.
  void stop();
  size_t armed() const;

 private:
  static constexpr uint32_t kIdle = ~0u;

  Result<> start_now();
  void thread_main();
  // The node whose limit has passed, or null and the time of the next one.
  Node* take_due(uint64_t* next_ns);
  void remove(Node* node);
  void place(Node* node, size_t slot);
  void sift_up(Node* node, size_t slot);
  void sift_down(Node* node, size_t slot);

  mutable SpinLock lock_;    // guards heap_, the slots of its nodes, and writes to firing_
  std::vector<Node*> heap_;  // the earliest first
  std::atomic<Node*> firing_{nullptr};
  std::atomic<bool> stopping_{false};
  std::mutex start_mutex_;  // one start at a time, and none behind stop()
  std::atomic<bool> started_{false};
  Doorbell bell_;
  std::jthread thread_;
};

}  // namespace canopy
