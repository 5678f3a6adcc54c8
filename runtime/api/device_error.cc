// acl_rt.h: faults of a device itself. A simulated one has those that somebody has injected (canopy smi --inject), and no
// others: no bit of its memory flips, and no core breaks.
#include "runtime/api/guard.h"

#include <optional>

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

// The worst one: a call tells one.
aclrtErrorType error_of(const Driver& driver, int32_t device) {
  const std::optional<DeviceReading> reading = driver.reports().read(device);
  if (!reading) {
    return ACL_RT_NO_ERROR;
  }
  return reading->lost              ? ACL_RT_ERROR_OTHERS
         : reading->links_down != 0 ? ACL_RT_ERROR_LINK
         : reading->ecc             ? ACL_RT_ERROR_MEMORY
                                    : ACL_RT_NO_ERROR;
}

}  // namespace

extern "C" {

aclError aclrtGetErrorVerbose(int32_t deviceId, aclrtErrorInfo* errorInfo) {
  CANOPY_ACL_NOT_NULL(errorInfo);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_device(deviceId));
    CANOPY_ASSIGN(const Driver* driver, runtime().driver());
    *errorInfo = aclrtErrorInfo{};  // no call repairs these, and none has a place: corrected memory needs no repair
    errorInfo->errorType = error_of(*driver, deviceId);
    return {};
  });
}

aclError aclrtRepairError(int32_t deviceId, const aclrtErrorInfo* errorInfo) {
  CANOPY_ACL_NOT_NULL(errorInfo);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_device(deviceId));
    CANOPY_ASSIGN(const Driver* driver, runtime().driver());
    if (errorInfo->errorType == ACL_RT_NO_ERROR) {
      return {};
    }
    if (errorInfo->errorType != error_of(*driver, deviceId)) {
      return fail(Errc::invalid_argument, "device {} has no error of type {}: aclrtGetErrorVerbose tells what it has", deviceId,
                  static_cast<int>(errorInfo->errorType));
    }
    return fail(Errc::not_supported, "device {}: its fault was injected, and is ended by whoever injected it (canopy smi "
                "--clear), not by a program", deviceId);
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
