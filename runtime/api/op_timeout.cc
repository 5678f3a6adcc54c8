// acl_rt.h: how long kernels may run.
#include "runtime/api/guard.h"

#include <algorithm>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

namespace {

aclError set_limit(uint64_t us) {
  return guard([&]() -> Result<> {
    runtime().kernel_limit().set_us(us);
    return {};
  });
}

}  // namespace

extern "C" {

aclError aclrtSetOpExecuteTimeOut(uint32_t timeout) { return set_limit(uint64_t{timeout} * 1'000'000); }

aclError aclrtSetOpExecuteTimeOutWithMs(uint32_t timeout) { return set_limit(uint64_t{timeout} * 1'000); }

aclError aclrtSetOpExecuteTimeOutV2(uint64_t timeout, uint64_t* actualTimeout) {
  CANOPY_ACL_NOT_NULL(actualTimeout);
  constexpr uint64_t kInterval = KernelLimit::kIntervalUs;
  const uint64_t intervals = timeout / kInterval + (timeout % kInterval != 0 ? 1 : 0);
  const uint64_t actual = std::min(intervals, KernelLimit::kMaxIntervals) * kInterval;
  const aclError code = set_limit(actual);
  if (code == ACL_SUCCESS) {
    *actualTimeout = actual;
  }
  return code;
}

aclError aclrtGetOpTimeOutInterval(uint64_t* interval) {
  CANOPY_ACL_NOT_NULL(interval);
  return guard([&]() -> Result<> {
    *interval = KernelLimit::kIntervalUs;
    return {};
  });
}

aclError aclrtGetOpExecuteTimeout(uint32_t* const timeoutMs) {
  CANOPY_ACL_NOT_NULL(timeoutMs);
  return guard([&]() -> Result<> {
    const uint64_t ms = runtime().kernel_limit().us() / 1'000;
    if (ms > UINT32_MAX) {
      return fail(Errc::out_of_range, "the time limit of kernels, {} ms, does not fit 32 bits", ms);
    }
    *timeoutMs = static_cast<uint32_t>(ms);
    return {};
  });
}

}  // extern "C"
