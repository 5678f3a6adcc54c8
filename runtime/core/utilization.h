// Utilization: which share of its time each engine of a device has been busy since it was asked
// last, with the work of this process.
//
// The first question of all switches the clocks of cores on, which then cost every kernel two looks
// at the cycle counter. A device's first question is answered with the share of cores that are busy
// at that moment, and with 0 for AI CPUs. Thread-safe.
#pragma once

#include "runtime/device/scheduler.h"
#include "runtime/driver/device.h"

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>

namespace canopy {

class Utilization {
 public:
  struct Shares {
    uint32_t cube_percent = 0;
    uint32_t vector_percent = 0;
    uint32_t aicpu_percent = 0;
  };
  Shares of(Device& device);

 private:
  struct Reading {
    uint64_t at = 0;  // ticks()
    uint64_t cube = 0;
    uint64_t vector = 0;
    uint64_t aicpu = 0;
  };
  static Reading reading_of(DeviceCores& cores);

  std::mutex mutex_;  // guards last_
  std::array<std::optional<Reading>, Scheduler::kMaxDevices> last_;
};

}  // namespace canopy
