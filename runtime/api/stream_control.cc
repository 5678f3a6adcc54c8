// acl_rt.h: ending tasks before their time; streams of models.
#include "runtime/api/guard.h"
#include "runtime/graph/bound_streams.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

extern "C" {

aclError aclrtStreamAbort(aclrtStream stream) {
  return guard([&] { return runtime().abort_stream(stream); });
}

aclError aclrtStreamStop(aclrtStream stream) {
  return guard([&] { return runtime().stop_stream(stream); });
}

aclError aclrtDeviceTaskAbort(int32_t deviceId, uint32_t timeout) {
  return guard([&] { return runtime().abort_device(deviceId, timeout); });
}

aclError aclrtSetDeviceTaskAbortCallback(const char* regName, aclrtDeviceTaskAbortCallback callback,
                                         void* args) {
  CANOPY_ACL_NOT_NULL(regName);
  return guard([&] { return runtime().abort_callbacks().set(regName, callback, args); });
}

aclError aclrtPersistentTaskClean(aclrtStream stream) {
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Stream * found, runtime().live_stream(stream));
    return clean_stream(*found);
  });
}

aclError aclrtActiveStream(aclrtStream activeStream, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(activeStream);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Stream * target, runtime().live_stream(activeStream));
    CANOPY_ASSIGN(Stream * found, runtime().stream(stream));
    return activate_stream(*target, *found);
  });
}

aclError aclrtSwitchStream(void* leftValue, aclrtCondition cond, void* rightValue,
                           aclrtCompareDataType dataType, aclrtStream trueStream,
                           aclrtStream falseStream, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(leftValue);
  CANOPY_ACL_NOT_NULL(rightValue);
  CANOPY_ACL_NOT_NULL(trueStream);
  return guard([&]() -> Result<> {
    if (cond < ACL_RT_EQUAL || cond > ACL_RT_LESS_OR_EQUAL) {
      return fail(Errc::invalid_argument, "aclrtSwitchStream: condition {} is none",
                  static_cast<int>(cond));
    }
    if (dataType != ACL_RT_SWITCH_INT32 && dataType != ACL_RT_SWITCH_INT64) {
      return fail(Errc::invalid_argument, "aclrtSwitchStream: type {} is none",
                  static_cast<int>(dataType));
    }
    if (falseStream != nullptr) {
      return fail(Errc::invalid_argument, "aclrtSwitchStream: falseStream must be NULL");
    }
    CANOPY_ASSIGN(Stream * target, runtime().live_stream(trueStream));
    CANOPY_ASSIGN(Stream * found, runtime().stream(stream));
    const Comparison comparison = {leftValue, static_cast<Control::Condition>(cond), rightValue,
                                   dataType == ACL_RT_SWITCH_INT64};
    return switch_stream(runtime(), comparison, *target, *found);
  });
}

}  // extern "C"
