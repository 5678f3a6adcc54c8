// KernelLimit: how long kernels that are launched from now on may run.
//
// Any thread. Relaxed throughout: numbers, which order nothing.
#pragma once

#include <atomic>
#include <cstdint>

namespace canopy {

class KernelLimit {
 public:
  // What aclrtSetOpExecuteTimeOutV2 rounds to a multiple of, of at most kMaxIntervals.
  static constexpr uint64_t kIntervalUs = 1'000'000;
  static constexpr uint64_t kMaxIntervals = 254;

  // 0: none.
  void set_us(uint64_t us) { us_.store(us, std::memory_order_relaxed); }
  uint64_t us() const { return us_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> us_{0};
};

}  // namespace canopy
