// CallScope: what a thread has found by a handle stays in memory until its call returns, also when another thread resets
// the device, destroys the context or finalizes meanwhile.
//
// Around every call of the interface. Who ends objects under others takes them out of their tables first, and gives them
// to keep_for_calls() in place of deleting them: calls that were running then may still use them, later ones find them no
// more. A call costs two plain stores; the full barrier in between that each would need is one membarrier of who ends.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/doorbell.h"

#include <atomic>
#include <cstdint>
#include <memory>

namespace canopy {

// Odd while its thread is in a call. Its owner alone writes it.
struct CallTurn {
  std::atomic<uint64_t> turn{0};
  uint32_t depth = 0;  // calls from callbacks of calls
};

class CallScope {
 public:
  CallScope() : mine_(t_turn_ != nullptr ? *t_turn_ : turn_of_thread()) {
    if (mine_.depth++ == 0) {
      // Relaxed: the membarrier in keep_for_calls() comes in between this store and the look-ups below.
      mine_.turn.store(mine_.turn.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      if (doorbell_detail::producer_fences) [[unlikely]] {
        store_load_fence();
      }
      compiler_barrier();
    }
  }
  ~CallScope() {
    if (--mine_.depth == 0) {
      // Release: what the call has used is used; pairs with keep_for_calls().
      mine_.turn.store(mine_.turn.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
  }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  static CallTurn& turn_of_thread();
  friend struct CallTurnOfThread;
  constinit static inline thread_local CallTurn* t_turn_ = nullptr;
  CallTurn& mine_;
};

// Deletes `object` when all calls of other threads that run now have returned: at once, if there are none, else with a
// later call of this. REQUIRES: nobody can find it any more.
void keep_for_calls(std::shared_ptr<void> object);

template <class T>
void keep_for_calls(std::unique_ptr<T> object) {
  if (object != nullptr) {
    keep_for_calls(std::shared_ptr<void>(std::shared_ptr<T>(std::move(object))));
  }
}

}  // namespace canopy
