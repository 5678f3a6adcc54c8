// DmaScope: while it lives, one copy engine of a device is busy. Costs one load unless somebody wants to know how busy
// devices are.
#pragma once

#include "runtime/base/clock.h"
#include "runtime/device/launch_board.h"
#include "runtime/device/trace_buffer.h"

namespace canopy {

class DmaScope {
 public:
  explicit DmaScope(DeviceCores& device) : DmaScope(TraceBuffer::cores_watched() ? &device : nullptr) {}
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
