// acl_rt.h: faults of a device itself. A simulated one has none that it could not say at once: no bit of its
// memory flips, and no core breaks.
#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

namespace {

Result<> check_device(int32_t device) {
  CANOPY_ASSIGN(Driver * driver, runtime().driver());
  return driver->check_device(device);
}

Result<> check_count(size_t count) {
  if (count == 0 || count > MAX_MEM_UCE_INFO_ARRAY_SIZE) {
    return fail(Errc::invalid_argument, "arraySize is {}, it must be 1 to {}", count, MAX_MEM_UCE_INFO_ARRAY_SIZE);
  }
  return {};
}

}  // namespace

extern "C" {

aclError aclrtGetErrorVerbose(int32_t deviceId, aclrtErrorInfo* errorInfo) {
  CANOPY_ACL_NOT_NULL(errorInfo);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_device(deviceId));
    *errorInfo = aclrtErrorInfo{};
    errorInfo->errorType = ACL_RT_NO_ERROR;
    return {};
  });
}

aclError aclrtRepairError(int32_t deviceId, const aclrtErrorInfo* errorInfo) {
  CANOPY_ACL_NOT_NULL(errorInfo);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_device(deviceId));
    if (errorInfo->errorType != ACL_RT_NO_ERROR) {
      return fail(Errc::invalid_argument, "device {} has no error of type {}: aclrtGetErrorVerbose tells what it has", deviceId,
                  static_cast<int>(errorInfo->errorType));
    }
    return {};
  });
}

aclError aclrtGetMemUceInfo(int32_t deviceId, aclrtMemUceInfo* memUceInfoArray, size_t arraySize, size_t* retSize) {
  CANOPY_ACL_NOT_NULL(memUceInfoArray);
  CANOPY_ACL_NOT_NULL(retSize);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_device(deviceId));
    CANOPY_TRY(check_count(arraySize));
    *retSize = 0;
    return {};
  });
}

aclError aclrtMemUceRepair(int32_t deviceId, aclrtMemUceInfo* memUceInfoArray, size_t arraySize) {
  CANOPY_ACL_NOT_NULL(memUceInfoArray);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_device(deviceId));
    CANOPY_TRY(check_count(arraySize));
    return fail(Errc::invalid_argument, "device {} has no memory with uncorrectable errors: {} is none", deviceId,
                memUceInfoArray[0].addr);
  });
}

}  // extern "C"
