// CoreClocks: how long the cores of a device have been busy, counted while somebody wants to know
// (TraceBuffer::watch_cores()).
//
// A core's clock has one writer at a time, the block that holds the core; readers come any time, from other processes, too,
// and may see a block that ends just then counted twice or not at all.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/clock.h"
#include "runtime/device/engine_stats.h"

#include <atomic>
#include <cstdint>

namespace canopy {

class CoreClocks {
 public:
  // REQUIRES: `clocks` outlive it.
  explicit CoreClocks(CoreClock* clocks) : clocks_(clocks) {}

  // Relaxed throughout: numbers, nothing else.
  void begin(uint32_t core) { clocks_[core].begun.store(ticks(), std::memory_order_relaxed); }
  // By who begins to watch: a block that runs already counts from now. One that has just ended may
  // leave the mark behind, so readers ask whether the core is taken.
  void begin_older(uint32_t core) {
    uint64_t none = 0;
    clocks_[core].begun.compare_exchange_strong(none, ticks(), std::memory_order_relaxed);
  }
  // Nothing when nobody watched yet when the block began, nor since.
  void end(uint32_t core) {
    CoreClock& clock = clocks_[core];
    const uint64_t begun = clock.begun.load(std::memory_order_relaxed);
    if (begun != 0) {
      clock.busy.store(clock.busy.load(std::memory_order_relaxed) + ticks() - begun,
                       std::memory_order_relaxed);
      clock.begun.store(0, std::memory_order_relaxed);
    }
  }
  // Ticks until `now`, of a core that is `taken` or not.
  uint64_t busy(uint32_t core, bool taken, uint64_t now) const {
    const CoreClock& clock = clocks_[core];
    const uint64_t begun = clock.begun.load(std::memory_order_relaxed);
    return clock.busy.load(std::memory_order_relaxed) +
           (taken && begun != 0 && now > begun ? now - begun : 0);
  }

 private:
  CoreClock* const clocks_;
};

}  // namespace canopy
