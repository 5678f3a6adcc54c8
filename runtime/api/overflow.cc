// acl_rt.h: floating-point overflow.
#include "runtime/core/overflow.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

FloatOverflow& overflow() { return runtime().float_overflow(); }

// Both ways of checking see the same word here.
Result<> check_mode(uint32_t mode) {
  if (mode > 1) {
    return fail(Errc::invalid_argument, "overflow: check mode {} is none, 0 or 1 is wanted", mode);
  }
  return {};
}

}  // namespace

extern "C" {

aclError aclrtSetDeviceSatMode(aclrtFloatOverflowMode mode) {
  return guard([&]() -> Result<> {
    if (mode != ACL_RT_OVERFLOW_MODE_SATURATION && mode != ACL_RT_OVERFLOW_MODE_INFNAN) {
      return fail(Errc::invalid_argument, "aclrtSetDeviceSatMode: mode {} cannot be set",
                  static_cast<int>(mode));
    }
    return overflow().set_saturates(mode == ACL_RT_OVERFLOW_MODE_SATURATION);
  });
}

aclError aclrtGetDeviceSatMode(aclrtFloatOverflowMode* mode) {
  CANOPY_ACL_NOT_NULL(mode);
  return guard_into(mode, [] {
    return overflow().saturates().map([](bool saturates) {
      return saturates ? ACL_RT_OVERFLOW_MODE_SATURATION : ACL_RT_OVERFLOW_MODE_INFNAN;
    });
  });
}

aclError aclrtGetOverflowStatus(void* outputAddr, size_t outputSize, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(outputAddr);
  return guard([&]() -> Result<> {
    if (outputSize != FloatOverflow::kStatusBytes) {
      return fail(Errc::invalid_argument, "aclrtGetOverflowStatus: outputSize is {}, {} is wanted",
                  outputSize, FloatOverflow::kStatusBytes);
    }
    return overflow().get(outputAddr, outputSize, stream);
  });
}

aclError aclrtResetOverflowStatus(aclrtStream stream) {
  return guard([&] { return overflow().reset(stream); });
}

aclError aclrtCtxGetFloatOverflowAddr(void** overflowAddr) {
  CANOPY_ACL_NOT_NULL(overflowAddr);
  return guard_into(overflowAddr, [] { return overflow().address(); });
}

aclError aclrtGetFloatOverflowStatus(void* outputAddr, uint64_t outputSize, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(outputAddr);
  return guard([&] { return overflow().get(outputAddr, outputSize, stream); });
}

aclError aclrtResetFloatOverflowStatus(aclrtStream stream) {
  return guard([&] { return overflow().reset(stream); });
}

aclError aclrtNpuGetFloatOverFlowStatus(void* outputAddr, uint64_t outputSize, uint32_t checkMode,
                                        aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(outputAddr);
  return guard([&] {
    return check_mode(checkMode).and_then(
        [&] { return overflow().get(outputAddr, outputSize, stream); });
  });
}

aclError aclrtNpuClearFloatOverFlowStatus(uint32_t checkMode, aclrtStream stream) {
  return guard(
      [&] { return check_mode(checkMode).and_then([&] { return overflow().reset(stream); }); });
}

}  // extern "C"
