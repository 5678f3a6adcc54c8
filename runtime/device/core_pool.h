// CorePool: which cores of one kind are busy. Lock-free; any thread.
#pragma once

#include "runtime/base/cache_line.h"

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

namespace canopy {

class CorePool {
 public:
  explicit CorePool(uint32_t cores)
      : cores_(cores), words_((cores + 63) / 64), free_(new std::atomic<uint64_t>[words_]) {
    for (uint32_t w = 0; w < words_; ++w) {
      const uint32_t left = cores - w * 64;
      free_[w].store(left >= 64 ? ~0ull : (1ull << left) - 1, std::memory_order_relaxed);
    }
  }

  uint32_t cores() const { return cores_; }

  // A free core, or -1. Prefers the lowest, so that few cores stay warm.
  int acquire() {
    for (uint32_t w = 0; w < words_; ++w) {
      uint64_t seen = free_[w].load(std::memory_order_relaxed);
      while (seen != 0) {
        const uint64_t bit = seen & (~seen + 1);
        // Acquire: what the core's last block did is over; pairs with release().
        if (free_[w].compare_exchange_weak(seen, seen & ~bit, std::memory_order_acquire,
                                           std::memory_order_relaxed)) {
          return static_cast<int>(w * 64 + static_cast<uint32_t>(std::countr_zero(bit)));
        }
      }
    }
    return -1;
  }
  bool any_free() const {
    for (uint32_t w = 0; w < words_; ++w) {
      if (free_[w].load(std::memory_order_relaxed) != 0) {
        return true;
      }
    }
    return false;
  }
  void release(int core) {
    free_[static_cast<uint32_t>(core) / 64].fetch_or(1ull << (core % 64), std::memory_order_release);
  }

 private:
  const uint32_t cores_;
  const uint32_t words_;
  const std::unique_ptr<std::atomic<uint64_t>[]> free_;
};

}  // namespace canopy
