// DeviceLimits: the numbers of aclrtDeviceSetLimit, of the process. Kept and told; what they limit
// on a card is not limited here (printf has no buffer, there is no SIMT stack), but for the stack
// of a kernel's block: that is at least so large, because host code needs more than a card's.
// Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "runtime/device/scheduler.h"
#include "runtime/driver/driver.h"

#include "acl/rt/device.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>

namespace canopy {

class DeviceLimits {
 public:
  static constexpr size_t kLargestStack = size_t{1} << 30;
  static constexpr int kCount = ACL_RT_DEV_LIMIT_SIMT_PRINTF_FIFO_SIZE + 1;

  // Errc::invalid_argument: no such limit, 0, or a stack above kLargestStack.
  Result<> set(Driver& driver, int limit, size_t value) {
    CANOPY_TRY(check(limit));
    if (value == 0 || (limit == ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE && value > kLargestStack)) {
      return fail(Errc::invalid_argument, "device limit {}: {} bytes, 1 to {} are possible", limit,
                  value, limit == ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE ? kLargestStack : SIZE_MAX);
    }
    // Relaxed: a number, nothing else.
    values_[static_cast<size_t>(limit)].store(value, std::memory_order_relaxed);
    if (limit == ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE) {
      driver.set_block_stack(std::max(value, Scheduler::default_stack_bytes()));
    }
    return {};
  }
  // The number set last, in force or not; 0 when none was set, for the stack the one that holds.
  Result<size_t> get(const Driver& driver, int limit) const {
    CANOPY_TRY(check(limit));
    const size_t value = values_[static_cast<size_t>(limit)].load(std::memory_order_relaxed);
    return value == 0 && limit == ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE ? driver.block_stack() : value;
  }

 private:
  static Result<> check(int limit) {
    if (limit < 0 || limit >= kCount) {
      return fail(Errc::invalid_argument, "device limit {} is not one of aclrtDeviceLimit", limit);
    }
    return {};
  }

  std::array<std::atomic<size_t>, kCount> values_{};
};

}  // namespace canopy
