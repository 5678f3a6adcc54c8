// acl_rt.h: limits, groups and the like of devices, and how busy they are.
#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

// Nothing to tell: no device has groups.
struct tagRtGroupInfo {};

namespace {

int32_t used_percent(std::pair<uint64_t, uint64_t> free_and_total) {
  const auto [free, total] = free_and_total;
  return total == 0
             ? 0
             : static_cast<int32_t>(
                   static_cast<double>(total - free) * 100.0 / static_cast<double>(total) + 0.5);
}

}  // namespace

extern "C" {

aclError aclrtSetTsDevice(aclrtTsId tsId) {
  return guard([&]() -> Result<> {
    if (tsId != ACL_TS_ID_AICORE && tsId != ACL_TS_ID_AIVECTOR) {
      return fail(Errc::invalid_argument, "aclrtSetTsDevice: {} is no task scheduler",
                  static_cast<int>(tsId));
    }
    return {};  // one scheduler serves both kinds of cores
  });
}

aclError aclrtDeviceSetLimit(aclrtDeviceLimit limit, size_t value) {
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    return runtime().device_limits().set(*driver, limit, value);
  });
}

aclError aclrtDeviceGetLimit(aclrtDeviceLimit limit, size_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard_into(value, [&]() -> Result<size_t> {
    CANOPY_ASSIGN(const Driver* driver, runtime().driver());
    return runtime().device_limits().get(*driver, limit);
  });
}

aclError aclrtDeviceL2CacheFlush(void* rsv) {
  return guard([&]() -> Result<> {
    if (rsv != nullptr) {
      return fail(Errc::invalid_argument, "aclrtDeviceL2CacheFlush: rsv must be NULL");
    }
    CANOPY_TRY(runtime().current_device());
    return {};  // memory is coherent: nothing is left to write back
  });
}

aclError aclrtGetDeviceUtilizationRate(int32_t deviceId, aclrtUtilizationInfo* utilizationInfo) {
  CANOPY_ACL_NOT_NULL(utilizationInfo);
  return guard([&]() -> Result<> {
    if (utilizationInfo->utilizationExtend != nullptr) {
      return fail(Errc::invalid_argument,
                  "aclrtGetDeviceUtilizationRate: utilizationExtend must be NULL");
    }
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_ASSIGN(const auto memory, driver->memory_info(deviceId));
    Device* open = driver->find_device(deviceId);
    const Utilization::Shares shares =
        open == nullptr ? Utilization::Shares() : runtime().utilization().of(*open);
    utilizationInfo->cubeUtilization = static_cast<int32_t>(shares.cube_percent);
    utilizationInfo->vectorUtilization = static_cast<int32_t>(shares.vector_percent);
    utilizationInfo->aicpuUtilization = static_cast<int32_t>(shares.aicpu_percent);
    utilizationInfo->memoryUtilization = used_percent(memory);
    return {};
  });
}

// ---- Groups.

aclError aclrtGetGroupCount(uint32_t* count) {
  CANOPY_ACL_NOT_NULL(count);
  return guard_into(count, []() -> Result<uint32_t> {
    CANOPY_TRY(runtime().current_device());
    return 0;
  });
}

aclError aclrtSetGroup(int32_t groupId) {
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const int device, runtime().current_device());
    return fail(Errc::no_group,
                "device {}: there is no group {}: its cores are not divided into groups", device,
                groupId);
  });
}

aclrtGroupInfo* aclrtCreateGroupInfo(void) { return acl::new_handle<aclrtGroupInfo>(); }

aclError aclrtDestroyGroupInfo(aclrtGroupInfo* groupInfo) {
  CANOPY_ACL_NOT_NULL(groupInfo);
  delete groupInfo;
  return ACL_SUCCESS;
}

aclError aclrtGetAllGroupInfo(aclrtGroupInfo* groupInfo) {
  CANOPY_ACL_NOT_NULL(groupInfo);
  return guard([]() -> Result<> {
    CANOPY_TRY(runtime().current_device());
    return {};  // of none
  });
}

aclError aclrtGetGroupInfoDetail(const aclrtGroupInfo* groupInfo, int32_t groupIndex,
                                 aclrtGroupAttr attr, void* attrValue, size_t valueLen,
                                 size_t* paramRetSize) {
  CANOPY_ACL_NOT_NULL(groupInfo);
  CANOPY_ACL_NOT_NULL(attrValue);
  CANOPY_ACL_NOT_NULL(paramRetSize);
  return guard([&]() -> Result<> {
    return fail(Errc::invalid_argument,
                "aclrtGetGroupInfoDetail: index {} of 0 groups (attribute {}, {} bytes)",
                groupIndex, static_cast<int>(attr), valueLen);
  });
}

}  // extern "C"
