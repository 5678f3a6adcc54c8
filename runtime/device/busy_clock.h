// BusyClock: how long the units of one kind have been busy, all together: the AI CPUs of a device, its
// copy engines. Lies in memory that other processes read.
#pragma once

#include "runtime/base/cache_line.h"

#include <atomic>
#include <cstdint>

namespace canopy {

class alignas(kCacheLine) BusyClock {
 public:
  // Any thread; one end() for each begin(). Relaxed
  // throughout: numbers, nothing else. Between its two steps a reader sees nonsense, which busy() leaves to
  // whoever knows how much is possible.
  void begin(uint64_t now) {
    active_.fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_sub(now, std::memory_order_relaxed);
  }
  void end(uint64_t now) {
    sum_.fetch_add(now, std::memory_order_relaxed);
    active_.fetch_sub(1, std::memory_order_relaxed);
  }
  uint32_t active() const { return active_.load(std::memory_order_relaxed); }
  // Ticks until `now`, those of units that are busy now included.
  uint64_t busy(uint64_t now) const { return sum_.load(std::memory_order_relaxed) + active() * now; }

 private:
  std::atomic<uint64_t> sum_{0};  // ends minus beginnings
  std::atomic<uint32_t> active_{0};
};
static_assert(sizeof(BusyClock) == kCacheLine);

}  // namespace canopy
