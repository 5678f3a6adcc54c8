// DmaScope: while it lives, one copy engine of a device is busy. Costs one load unless somebody wants to know how busy
// devices are; but a large copy counts always, because whoever begins to look may find it under way.
#pragma once

#include "runtime/base/clock.h"
#include "runtime/device/launch_board.h"
#include "runtime/device/trace_buffer.h"

#include <cstdint>

namespace canopy {

class DmaScope {
 public:
  DmaScope(DeviceCores& device, uint64_t bytes) : DmaScope(counts(bytes) ? &device : nullptr) {}
  static bool counts(uint64_t bytes) {
    constexpr uint64_t kAlways = uint64_t{1} << 20;  // 20 us and more, beside which the clock is nothing
    return bytes >= kAlways || TraceBuffer::cores_watched();
  }
  // Null: nobody asks, or no device takes part.
  explicit DmaScope(DeviceCores* device) : clock_(device != nullptr ? &device->dma_clock() : nullptr) {
    if (clock_ != nullptr) [[unlikely]] {
      clock_->begin(ticks());
    }
  }
  ~DmaScope() {
    if (clock_ != nullptr) [[unlikely]] {
      clock_->end(ticks());
    }
  }
  DmaScope(const DmaScope&) = delete;
  DmaScope& operator=(const DmaScope&) = delete;

 private:
  BusyClock* const clock_;
};

}  // namespace canopy
