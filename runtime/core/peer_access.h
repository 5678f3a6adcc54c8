// PeerAccess: which device may touch which other device's memory in this process. What is possible is
// decided by the machine's links; enabling is one-way. Thread-safe, lock-free reads.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/host_table.h"
#include "topology/model/machine.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace canopy {

class PeerAccess {
 public:
  // Direct or staged access is possible between the two.
  static bool possible(const topology::Machine& machine, int device, int peer);
  // What to do about peer access that neither of the two has enabled, for the end of a sentence: nothing, where there is no path.
  static std::string remedy(const topology::Machine& machine, int device, int peer);
  Result<> enable(const topology::Machine& machine, int device, int peer);
  Result<> disable(int device, int peer);
  bool enabled(int device, int peer) const {
    return device == peer || (enabled_[static_cast<size_t>(device)].load(std::memory_order_acquire) >> peer & 1) != 0;
  }
  void reset(int device) { enabled_[static_cast<size_t>(device)].store(0, std::memory_order_release); }

 private:
  std::array<std::atomic<uint64_t>, kMaxDevices> enabled_{};  // bit p: access to p
};

}  // namespace canopy
