// Gate: counts who is inside of something that will end, and ends it once nobody is. Thread-safe.
#pragma once

#include "runtime/base/waiter.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

namespace canopy::shmem {

class Gate {
 public:
  class Pass {
   public:
    explicit Pass(Gate* gate) : gate_(gate) {}
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    ~Pass() {
      if (gate_ != nullptr) {
        // Release: what was done inside; pairs with the acquire in close().
        gate_->inside_.fetch_sub(1, std::memory_order_release);
      }
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    Gate* gate_;
  };

  // A false one when the gate is closed.
  Pass enter() {
    // Sequentially consistent, as in close(): either that sees this one inside, or this one sees
    // that it is closed.
    inside_.fetch_add(1, std::memory_order_seq_cst);
    Pass pass(this);
    return closed_.load(std::memory_order_seq_cst) ? Pass(nullptr) : std::move(pass);
  }

  // Nobody comes in any more; waits until nobody is inside, or `in_vain()` says that nobody will
  // leave. False: in vain.
  template <class InVain>
  bool close(InVain&& in_vain, const char* who) {
    closed_.store(true, std::memory_order_seq_cst);
    // Seen once is enough: who comes later goes again without having been inside. Sequentially
    // consistent: as in enter(); also an acquire, of what those who left have done.
    bool empty = false;
    const auto over = [&] {
      empty = empty || inside_.load(std::memory_order_seq_cst) == 0;
      return empty || in_vain();
    };
    wait_until(over, nullptr, BellScope::process, Deadline::never(),
               [&] { return std::string(who); });
    return empty;
  }

 private:
  std::atomic<int64_t> inside_{0};
  std::atomic<bool> closed_{false};
};

}  // namespace canopy::shmem
