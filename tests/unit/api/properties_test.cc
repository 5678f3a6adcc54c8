// What a device is: the machine of private_machine.cc, as the interface tells it.
#include "tests/unit/api/gate.h"

#include "acl/acl_platform.h"

#include <unistd.h>

#include <cstring>
#include <set>
#include <string>
#include <thread>

namespace canopy::test {
namespace {

class Properties : public testing::Test {
 protected:
  void TearDown() override {
    aclFinalize();
    while (aclGetRecentErrMsg() != nullptr) {
    }
  }
};

TEST_F(Properties, DeviceInfoComesFromTheSpec) {
  const struct {
    aclrtDevAttr attribute;
    int64_t value;
  } rows[] = {{ACL_DEV_ATTR_AICPU_CORE_NUM, 6},
              {ACL_DEV_ATTR_AICORE_CORE_NUM, 24},
              {ACL_DEV_ATTR_CUBE_CORE_NUM, 24},
              {ACL_DEV_ATTR_VECTOR_CORE_NUM, 48},
              {ACL_DEV_ATTR_UBUF_PER_VECTOR_CORE, 192 << 10},
              {ACL_DEV_ATTR_LOCAL_MEM_PER_VECTOR_CORE, 192 << 10},
              {ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE, int64_t{kHbmBytes}},
              {ACL_DEV_ATTR_PHY_CHIP_ID, 1},
              {ACL_DEV_ATTR_IS_VIRTUAL, 0}};
  for (const auto& row : rows) {
    int64_t value = -7;
    ACL_OK(aclrtGetDeviceInfo(1, row.attribute, &value));
    EXPECT_EQ(value, row.value) << row.attribute;
  }
}

TEST_F(Properties, WhatTheSpecDoesNotSayIs207000AndWhatIsNoAttribute107000) {
  int64_t value = -7;
  for (int attribute : {202, 203, 205, 206, 207, 208, 209, 210, 211, 212, 401, 403, 404, 405, 406,
                        407, 408, 409, 601}) {
    ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
             aclrtGetDeviceInfo(0, static_cast<aclrtDevAttr>(attribute), &value))
        << attribute;
  }
  for (int attribute : {0, 2, 100, 213, 600}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtGetDeviceInfo(0, static_cast<aclrtDevAttr>(attribute), &value))
        << attribute;
  }
  EXPECT_EQ(value, -7);
}

TEST_F(Properties, OfADeviceThatIsNotThereAre107001) {
  int64_t wide = 0;
  int32_t narrow = 0;
  uint64_t link = 0;
  char text[16];
  aclrtDeviceStatus status;
  aclrtUuid uuid;
  for (uint32_t id : {uint32_t{kDevices}, 64U, 0x80000000U, 0xFFFFFFFFU}) {
    const auto signed_id = static_cast<int32_t>(id);
    constexpr int kCode = ACL_ERROR_RT_INVALID_DEVICEID;
    ACL_CODE(kCode, aclrtGetDeviceInfo(id, ACL_DEV_ATTR_CUBE_CORE_NUM, &wide));
    ACL_CODE(kCode, aclGetDeviceCapability(id, ACL_DEVICE_INFO_AI_CORE_NUM, &wide));
    ACL_CODE(kCode,
             aclrtGetDeviceCapability(signed_id, ACL_FEATURE_SYSTEM_MEMQ_EVENT_CROSS_DEV, &narrow));
    ACL_CODE(kCode, aclrtQueryDeviceStatus(signed_id, &status));
    ACL_CODE(kCode, aclrtDeviceGetUuid(signed_id, &uuid));
    ACL_CODE(kCode, aclrtDeviceGetPCIBusId(signed_id, text, sizeof text));
    ACL_CODE(kCode, aclrtGetDevicesTopo(id, 0, &link));
    ACL_CODE(kCode, aclrtGetDevicesTopo(0, id, &link));
    ACL_CODE(kCode, aclrtGetPrimaryCtxState(signed_id, nullptr, &narrow));
  }
}

TEST_F(Properties, CapabilitiesAreTheSpecs) {
  int64_t value = 0;
  ACL_OK(aclGetDeviceCapability(0, ACL_DEVICE_INFO_AI_CORE_NUM, &value));
  EXPECT_EQ(value, 24);
  ACL_OK(aclGetDeviceCapability(0, ACL_DEVICE_INFO_VECTOR_CORE_NUM, &value));
  EXPECT_EQ(value, 48);
  int64_t l2 = 0;
  ACL_OK(aclGetDeviceCapability(0, ACL_DEVICE_INFO_L2_SIZE, &value));
  ACL_OK(aclrtGetDeviceInfo(0, ACL_DEV_ATTR_L2_CACHE_SIZE, &l2));
  EXPECT_EQ(value, l2);
  for (int info : {-1, 3}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclGetDeviceCapability(0, static_cast<aclDeviceInfo>(info), &value));
  }
}

TEST_F(Properties, FeaturesOfTheTaskSchedulerAreNotThere) {
  for (auto feature :
       {ACL_FEATURE_TSCPU_TASK_UPDATE_SUPPORT_AIC_AIV, ACL_FEATURE_SYSTEM_MEMQ_EVENT_CROSS_DEV}) {
    int32_t value = 7;
    ACL_OK(aclrtGetDeviceCapability(0, feature, &value));
    EXPECT_EQ(value, ACL_DEV_FEATURE_NOT_SUPPORT);
  }
  int32_t value = 7;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtGetDeviceCapability(0, static_cast<aclrtDevFeatureType>(2), &value));
  EXPECT_EQ(value, 7);
}

TEST_F(Properties, StatusIsNormal) {
  aclrtDeviceStatus status = ACL_RT_DEVICE_STATUS_END;
  ACL_OK(aclrtQueryDeviceStatus(kDevices - 1, &status));
  EXPECT_EQ(status, ACL_RT_DEVICE_STATUS_NORMAL);
}

TEST_F(Properties, UuidsAreDistinctAndStable) {
  std::set<std::string> all;
  for (int round = 0; round < 2; ++round) {
    for (int device = 0; device < kDevices; ++device) {
      aclrtUuid uuid;
      ACL_OK(aclrtDeviceGetUuid(device, &uuid));
      EXPECT_EQ(uuid.bytes[6] & 0xF0, 0x80);
      EXPECT_EQ(uuid.bytes[8] & 0xC0, 0x80);
      all.emplace(uuid.bytes, sizeof uuid.bytes);
    }
  }
  EXPECT_EQ(all.size(), size_t{kDevices});
}

TEST_F(Properties, PciBusIdsLeadBackToTheDevice) {
  for (int device = 0; device < kDevices; ++device) {
    char text[13];
    ACL_OK(aclrtDeviceGetPCIBusId(device, text, sizeof text));
    EXPECT_EQ(std::strlen(text), 12u) << text;
    int32_t found = -1;
    ACL_OK(aclrtDeviceGetByPCIBusId(text, &found));
    EXPECT_EQ(found, device);
  }
  int32_t found = -1;
  for (const char* text : {"", "0000:00:00.0", "no bus id"}) {
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtDeviceGetByPCIBusId(text, &found));
  }
  EXPECT_EQ(found, -1);
}

TEST_F(Properties, APciBusIdIsNeverCut) {
  char text[13] = "untouched";
  for (int32_t bytes : {12, 1, 0, -1}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceGetPCIBusId(0, text, bytes));
  }
  EXPECT_STREQ(text, "untouched");
}

TEST_F(Properties, BareTgidIsThisProcess) {
  int32_t pid = 0;
  ACL_OK(aclrtDeviceGetBareTgid(&pid));
  EXPECT_EQ(pid, ::getpid());
}

TEST_F(Properties, TopologyNamesTheLink) {
  const struct {
    uint32_t other;
    uint64_t flag;
  } rows[] = {
      {kNear, ACL_RT_DEVS_TOPOLOGY_HCCS}, {kStaged, ACL_RT_DEVS_TOPOLOGY_PHB}, {kUnreachable, 0}};
  for (const auto& row : rows) {
    uint64_t there = 77;
    uint64_t back = 77;
    ACL_OK(aclrtGetDevicesTopo(0, row.other, &there));
    ACL_OK(aclrtGetDevicesTopo(row.other, 0, &back));
    EXPECT_EQ(there, row.flag);
    EXPECT_EQ(back, row.flag);
  }
  uint64_t link = 77;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetDevicesTopo(1, 1, &link));
}

TEST_F(Properties, ABinaryFitsTheSocOfTheMachine) {
  int32_t can = 7;
  ACL_OK(aclrtCheckArchCompatibility("TestNPU", &can));
  EXPECT_EQ(can, 1);
  ACL_OK(aclrtCheckArchCompatibility("AnotherNPU", &can));
  EXPECT_EQ(can, 0);
}

TEST_F(Properties, TheSocNameNeedsNoDeviceAndLeavesNoError) {
  std::thread([] {
    EXPECT_STREQ(aclrtGetSocName(), "TestNPU");
    EXPECT_EQ(aclGetRecentErrMsg(), nullptr);
    EXPECT_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS);
  }).join();
}

TEST_F(Properties, PlatformInformationIsText) {
  const struct {
    aclplatformDevInfo info;
    std::string text;
  } rows[] = {
      {ACL_PLATFORM_AICORE_CNT, "24"},       {ACL_PLATFORM_CUBE_CORE_CNT, "24"},
      {ACL_PLATFORM_VECTOR_CORE_CNT, "48"},  {ACL_PLATFORM_AICORE_UB_SIZE, "196608"},
      {ACL_PLATFORM_SOC_VERSION, "TestNPU"}, {ACL_PLATFORM_MEMORY_SIZE, std::to_string(kHbmBytes)}};
  for (const auto& row : rows) {
    char text[32];
    ACL_OK(aclplatformGetDeviceInfo(row.info, text, sizeof text));
    EXPECT_EQ(text, row.text);
    ACL_OK(aclplatformGetDeviceInfo(row.info, text, static_cast<uint32_t>(row.text.size() + 1)));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclplatformGetDeviceInfo(row.info, text, static_cast<uint32_t>(row.text.size())));
  }
  char text[32];
  for (int info : {6, 7, 8, 9, 10, 11, 12, 14, 15, 16}) {
    ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
             aclplatformGetDeviceInfo(static_cast<aclplatformDevInfo>(info), text, sizeof text));
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclplatformGetDeviceInfo(static_cast<aclplatformDevInfo>(17), text, sizeof text));
}

TEST_F(Properties, RefuseNull) {
  int32_t number = 0;
  constexpr int kCode = ACL_ERROR_INVALID_PARAM;
  ACL_CODE(kCode, aclrtGetDeviceInfo(0, ACL_DEV_ATTR_CUBE_CORE_NUM, nullptr));
  ACL_CODE(kCode, aclGetDeviceCapability(0, ACL_DEVICE_INFO_AI_CORE_NUM, nullptr));
  ACL_CODE(kCode, aclrtGetDeviceCapability(0, ACL_FEATURE_SYSTEM_MEMQ_EVENT_CROSS_DEV, nullptr));
  ACL_CODE(kCode, aclrtQueryDeviceStatus(0, nullptr));
  ACL_CODE(kCode, aclrtDeviceGetUuid(0, nullptr));
  ACL_CODE(kCode, aclrtDeviceGetPCIBusId(0, nullptr, 13));
  ACL_CODE(kCode, aclrtDeviceGetByPCIBusId(nullptr, &number));
  ACL_CODE(kCode, aclrtDeviceGetByPCIBusId("", nullptr));
  ACL_CODE(kCode, aclrtDeviceGetBareTgid(nullptr));
  ACL_CODE(kCode, aclrtGetDevicesTopo(0, 1, nullptr));
  ACL_CODE(kCode, aclrtCheckArchCompatibility(nullptr, &number));
  ACL_CODE(kCode, aclrtCheckArchCompatibility("x", nullptr));
  ACL_CODE(kCode, aclplatformGetDeviceInfo(ACL_PLATFORM_AICORE_CNT, nullptr, 8));
}

}  // namespace
}  // namespace canopy::test
