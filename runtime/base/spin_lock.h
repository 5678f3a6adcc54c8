// SpinLock: for critical sections of a few instructions. A leaf lock: nothing is called while it is
// held. Contention follows the waiting policy's spirit: a few pauses, then the core is given away.
#pragma once

#include "runtime/base/cache_line.h"

#include <sched.h>

#include <atomic>

namespace canopy {

class SpinLock {
 public:
  void lock() {
    // Acquire: what the last holder wrote is visible; pairs with the release in unlock().
    while (locked_.exchange(true, std::memory_order_acquire)) [[unlikely]] {
      wait_free();
    }
  }
  bool try_lock() {
    return !locked_.load(std::memory_order_relaxed) &&
           !locked_.exchange(true, std::memory_order_acquire);
  }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  [[gnu::noinline]] void wait_free() {
    for (int i = 0; locked_.load(std::memory_order_relaxed); ++i) {
      if (i < 32) {
        cpu_relax();
      } else {
        ::sched_yield();  // the holder may be preempted on this very core
      }
    }
  }
  std::atomic<bool> locked_{false};
};

}  // namespace canopy
