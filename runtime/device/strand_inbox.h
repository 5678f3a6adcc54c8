// StrandInbox: strands on their way to an executor. Who hands one over writes lines that nobody else writes then: the
// tail, which is the submitters', and a slot, which the executor has left long ago.
//
// Any thread may push(). front() and drop_front() are for one thread at a time: the executor's lock.
#pragma once

#include "runtime/base/cache_line.h"

#include <array>
#include <atomic>
#include <cstdint>

namespace canopy {

class Strand;

class StrandInbox {
 public:
  static constexpr uint32_t kSlots = 1024;

  // False: full.
  bool push(Strand* strand) {
    uint64_t at = tail_.load(std::memory_order_relaxed);
    do {
      // Not the slot: it is empty as well while the submitter that is a lap ahead is still about to write it.
      if (at - seen_head_.load(std::memory_order_acquire) >= kSlots) [[unlikely]] {
        // Acquire, and release for who reads it there: the slots before it are empty; pairs with drop_front().
        const uint64_t head = head_.load(std::memory_order_acquire);
        seen_head_.store(head, std::memory_order_release);
        if (at - head >= kSlots && at == tail_.load(std::memory_order_relaxed)) {
          return false;
        }
      }
    } while (!tail_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed));
    // Release: the strand's state; pairs with front().
    slots_[at % kSlots].store(strand, std::memory_order_release);
    if ((at + 1) % kPerLine == 0) {
      prefetch_for_write(&slots_[(at + 1) % kSlots]);
    }
    return true;
  }

  // Whether front() would find one. False may also mean that one is being taken: who must not miss it looks afterwards where
  // it has been put before that. Acquire: for this; pairs with drop_front().
  bool any() const {
    return slots_[head_.load(std::memory_order_relaxed) % kSlots].load(std::memory_order_acquire) != nullptr;
  }

  // Relaxed: a hint.
  bool has_several() const {
    return any() && slots_[(head_.load(std::memory_order_relaxed) + 1) % kSlots].load(std::memory_order_relaxed) != nullptr;
  }

  // The oldest; null: none, or its submitter is still about to write it.
  Strand* front() const {
    return slots_[head_.load(std::memory_order_relaxed) % kSlots].load(std::memory_order_acquire);
  }
  // Takes it out. REQUIRES: there is one, and who looks for strands finds it elsewhere already. Release: so that they do.
  void drop_front() {
    const uint64_t at = head_.load(std::memory_order_relaxed);
    slots_[at % kSlots].store(nullptr, std::memory_order_release);
    head_.store(at + 1, std::memory_order_release);
  }

 private:
  static constexpr uint64_t kPerLine = kCacheLine / sizeof(Strand*);
  alignas(kCacheLine) std::atomic<uint64_t> tail_{0};
  std::atomic<uint64_t> seen_head_{0};  // not beyond head_; may go back, by submitters that were slow
  alignas(kCacheLine) std::atomic<uint64_t> head_{0};
  alignas(kCacheLine) std::array<std::atomic<Strand*>, kSlots> slots_{};
};

}  // namespace canopy
