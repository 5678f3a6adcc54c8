// FloatOverflow: what a floating-point overflow makes of a number, and whether one has happened.
//
// The mode is a device's, and a stream's from its creation on. The status is one word per device,
// for all of its streams and contexts; what raises it are kernels (canopy_raise_overflow) and
// reductions, on streams whose switch was on when they were queued.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/host_table.h"

#include <array>
#include <atomic>
#include <cstdint>

namespace canopy {

class Runtime;

class FloatOverflow {
 public:
  static constexpr uint64_t kStatusBytes = 64;

  explicit FloatOverflow(Runtime& runtime) : runtime_(runtime) {}

  // Of streams that are created later on the thread's device.
  Result<> set_saturates(bool saturates);
  Result<bool> saturates();
  bool device_saturates(int device) const {
    return saturates_[static_cast<size_t>(device)].load(std::memory_order_relaxed);
  }

  // In stream order: writes the status into `bytes` of device memory; the first word tells.
  Result<> get(void* output, uint64_t bytes, void* stream);
  // In stream order.
  Result<> reset(void* stream);
  // The word of the thread's device.
  Result<void*> address();
  // All devices have the mode they begin with.
  void clear();

 private:
  Runtime& runtime_;
  std::array<std::atomic<bool>, kMaxDevices> saturates_{};  // relaxed: numbers
};

}  // namespace canopy
