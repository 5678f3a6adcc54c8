// Baton: who works on a context. One thread at a time posts or polls; who wants to poll while
// another does has nothing to do, and who wants to post goes before those who want to poll.
//
// Without that precedence a thread that polls in a loop would take the lock again before a poster
// that it woke gets to run. Thread-safe.
#pragma once

#include <atomic>
#include <mutex>

namespace canopy::transport::ofi {

class Baton {
 public:
  // For posting: short, except behind somebody who polls.
  void lock() {
    // Relaxed: a hint for try_lock(); the mutex orders.
    posters_.fetch_add(1, std::memory_order_relaxed);
    mutex_.lock();
    posters_.fetch_sub(1, std::memory_order_relaxed);
  }
  // For polling.
  bool try_lock() { return posters_.load(std::memory_order_relaxed) == 0 && mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::atomic<int> posters_{0};
  std::mutex mutex_;
};

}  // namespace canopy::transport::ofi
