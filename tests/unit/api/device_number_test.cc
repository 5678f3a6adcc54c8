// Every function that takes a device, with numbers that are none. (semantics: "Devices", 107001)
#include "tests/unit/api/gate.h"

#include <functional>

namespace canopy::test {
namespace {

using DeviceNumber = AclTest;

struct Function {
  const char* name;
  std::function<aclError(int32_t)> call;
};

void refuse(const Function& function) {
  for (const int32_t device : {kDevices, 64, 1'000, -1, INT32_MIN, INT32_MAX}) {
    EXPECT_EQ(function.call(device), ACL_ERROR_RT_INVALID_DEVICEID)
        << function.name << ", device " << device << ": " << why();
  }
}

TEST_F(DeviceNumber, ThatIsNoneIs107001WhereADeviceIsUsed) {
  const Function functions[] = {
      {"aclrtSetDevice", aclrtSetDevice},
      {"aclrtResetDevice", aclrtResetDevice},
      {"aclrtResetDeviceForce", aclrtResetDeviceForce},
      {"aclrtCreateContext",
       [](int32_t d) {
         aclrtContext context;
         return aclrtCreateContext(&context, d);
       }},
      {"aclrtGetPrimaryCtxState",
       [](int32_t d) {
         int32_t active;
         return aclrtGetPrimaryCtxState(d, nullptr, &active);
       }},
      {"aclrtDeviceTaskAbort", [](int32_t d) { return aclrtDeviceTaskAbort(d, 0); }},
      {"aclrtDeviceEnablePeerAccess", [](int32_t d) { return aclrtDeviceEnablePeerAccess(d, 0); }},
      {"aclrtDeviceDisablePeerAccess", aclrtDeviceDisablePeerAccess},
      {"aclrtDeviceCanAccessPeer",
       [](int32_t d) {
         int32_t can;
         return aclrtDeviceCanAccessPeer(&can, 0, d);
       }},
      {"aclrtDevicePeerAccessStatus",
       [](int32_t d) {
         int32_t status;
         return aclrtDevicePeerAccessStatus(d, 0, &status);
       }},
      {"aclrtSetDeviceResLimit",
       [](int32_t d) { return aclrtSetDeviceResLimit(d, ACL_RT_DEV_RES_CUBE_CORE, 1); }},
      {"aclrtResetDeviceResLimit", aclrtResetDeviceResLimit},
  };
  for (const Function& function : functions) {
    refuse(function);
  }
}

TEST_F(DeviceNumber, ThatIsNoneIs107001WhereADeviceIsAskedAbout) {
  const Function functions[] = {
      {"aclrtQueryDeviceStatus",
       [](int32_t d) {
         aclrtDeviceStatus status;
         return aclrtQueryDeviceStatus(d, &status);
       }},
      {"aclrtGetDeviceInfo",
       [](int32_t d) {
         int64_t value;
         return aclrtGetDeviceInfo(static_cast<uint32_t>(d), ACL_DEV_ATTR_CUBE_CORE_NUM, &value);
       }},
      {"aclGetDeviceCapability",
       [](int32_t d) {
         int64_t value;
         return aclGetDeviceCapability(static_cast<uint32_t>(d), ACL_DEVICE_INFO_AI_CORE_NUM,
                                       &value);
       }},
      {"aclrtGetDeviceCapability",
       [](int32_t d) {
         int32_t value;
         return aclrtGetDeviceCapability(d, ACL_FEATURE_SYSTEM_MEMQ_EVENT_CROSS_DEV, &value);
       }},
      {"aclrtGetDeviceUtilizationRate",
       [](int32_t d) {
         aclrtUtilizationInfo info{};
         return aclrtGetDeviceUtilizationRate(d, &info);
       }},
      {"aclrtDeviceGetUuid",
       [](int32_t d) {
         aclrtUuid uuid;
         return aclrtDeviceGetUuid(d, &uuid);
       }},
      {"aclrtDeviceGetPCIBusId",
       [](int32_t d) {
         char id[16];
         return aclrtDeviceGetPCIBusId(d, id, sizeof id);
       }},
      {"aclrtGetDevicesTopo",
       [](int32_t d) {
         uint64_t link;
         return aclrtGetDevicesTopo(0, static_cast<uint32_t>(d), &link);
       }},
      {"aclrtGetMemUsageInfo",
       [](int32_t d) {
         aclrtMemUsageInfo info;
         size_t count;
         return aclrtGetMemUsageInfo(d, &info, 1, &count);
       }},
      {"aclrtGetDeviceResLimit",
       [](int32_t d) {
         uint32_t limit;
         return aclrtGetDeviceResLimit(d, ACL_RT_DEV_RES_CUBE_CORE, &limit);
       }},
      {"aclrtHostMemMapCapabilities",
       [](int32_t d) {
         aclrtHostMemMapCapability can;
         return aclrtHostMemMapCapabilities(static_cast<uint32_t>(d), ACL_RT_HAC_TYPE_AIC, &can);
       }},
      {"aclrtGetErrorVerbose",
       [](int32_t d) {
         aclrtErrorInfo info;
         return aclrtGetErrorVerbose(d, &info);
       }},
      {"aclrtGetMemUceInfo",
       [](int32_t d) {
         aclrtMemUceInfo info;
         size_t count;
         return aclrtGetMemUceInfo(d, &info, 1, &count);
       }},
  };
  for (const Function& function : functions) {
    refuse(function);
  }
}

}  // namespace
}  // namespace canopy::test
