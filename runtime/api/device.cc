// acl_rt.h: devices.
#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

aclError code_of_reset(aclError code) {
  return code == ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID ? ACL_ERROR_RT_CONTEXT_RELEASE_ERROR : code;
}

}  // namespace

extern "C" {

aclError aclrtSetDevice(int32_t deviceId) {
  return guard([&] { return runtime().set_device(deviceId); });
}

aclError aclrtResetDevice(int32_t deviceId) {
  return guard([&] { return runtime().reset_device(deviceId); }, code_of_reset);
}

aclError aclrtResetDeviceForce(int32_t deviceId) {
  return guard([&] { return runtime().reset_device_force(deviceId); }, code_of_reset);
}

aclError aclrtRegDeviceStateCallback(const char* regName, aclrtDeviceStateCallback callback, void* args) {
  CANOPY_ACL_NOT_NULL(regName);
  return guard([&] { return runtime().device_callbacks().set(regName, callback, args); });
}

aclError aclrtGetDevice(int32_t* deviceId) {
  CANOPY_ACL_NOT_NULL(deviceId);
  return guard_into(deviceId, [] { return runtime().current_device(); });
}

aclError aclrtGetDeviceCount(uint32_t* count) {
  CANOPY_ACL_NOT_NULL(count);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    *count = static_cast<uint32_t>(driver->machine().count());
    return {};
  });
}

aclError aclrtGetRunMode(aclrtRunMode* runMode) {
  CANOPY_ACL_NOT_NULL(runMode);
  *runMode = ACL_HOST;
  return ACL_SUCCESS;
}

aclError aclrtSynchronizeDevice(void) {
  return guard([] { return runtime().synchronize_device(Deadline::user_default()); });
}

aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout) {
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const Deadline deadline, acl::deadline_of(timeout));
    return runtime().synchronize_device(deadline);
  });
}

aclError aclrtDeviceGetStreamPriorityRange(int32_t* leastPriority, int32_t* greatestPriority) {
  CANOPY_ACL_NOT_NULL(leastPriority);
  CANOPY_ACL_NOT_NULL(greatestPriority);
  *leastPriority = Strand::kPriorities - 1;
  *greatestPriority = 0;
  return ACL_SUCCESS;
}

}  // extern "C"
