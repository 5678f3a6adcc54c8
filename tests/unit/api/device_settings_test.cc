// Limits, groups and engines of devices; how busy they are.
#include "canopy/kernel.h"
#include "runtime/base/clock.h"
#include "tests/unit/api/gate.h"

#include <atomic>
#include <thread>

namespace canopy::test {
namespace {

// Keeps a core for `ns`, and the executor as well.
__global__ __aicore__ void keep_busy(uint64_t ns) {
  const uint64_t end = monotonic_ns() + ns;
  while (monotonic_ns() < end) {
  }
}
CANOPY_KERNEL(keep_busy)

__global__ __aicore__ void hold_cube_cores(std::atomic<uint32_t>* open, std::atomic<uint32_t>* begun) {
  begun->fetch_add(1);
  canopy_wait_until(
      [](void* p) { return static_cast<int>(static_cast<std::atomic<uint32_t>*>(p)->load()); },
      open, "a test's gate");
}
CANOPY_KERNEL_CUBE(hold_cube_cores)

using DeviceSettings = AclTest;

aclrtUtilizationInfo utilization(int32_t device) {
  aclrtUtilizationInfo info{-7, -7, -7, -7, nullptr};
  EXPECT_EQ(aclrtGetDeviceUtilizationRate(device, &info), ACL_SUCCESS) << why();
  return info;
}

TEST_F(DeviceSettings, UtilizationIsTheShareOfTimeSinceTheLastQuestion) {
  utilization(0);
  EXPECT_LE(utilization(0).vectorUtilization, 1);
  // 12 of 24 cube cores wait in their kernel: a waiting block holds its core.
  std::atomic<uint32_t> open{0};
  std::atomic<uint32_t> begun{0};
  ACL_OK(launch(hold_cube_cores, 12, nullptr, &open, &begun));
  while (begun.load() != 12) {
    std::this_thread::yield();
  }
  utilization(0);
  const aclrtUtilizationInfo busy = utilization(0);
  EXPECT_NEAR(busy.cubeUtilization, 50, 10);
  EXPECT_LE(busy.vectorUtilization, 1);
  open.store(1);
  ACL_OK(aclrtSynchronizeStream(nullptr));
  utilization(0);
  ACL_OK(launch(keep_busy, 1, nullptr, uint64_t{1'000'000}));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_LE(utilization(0).cubeUtilization, 1) << "what is over is not told again";
}

TEST_F(DeviceSettings, UtilizationCountsKernelsThatAreOver) {
  utilization(0);
  for (int i = 0; i < 20; ++i) {
    ACL_OK(launch(keep_busy, 1, nullptr, uint64_t{1'000'000}));
  }
  ACL_OK(aclrtSynchronizeStream(nullptr));
  // One of 48 vector cores, nearly all of the time: 2 %. Of a busy machine it may be less.
  const int32_t percent = utilization(0).vectorUtilization;
  EXPECT_GE(percent, 1);
  EXPECT_LE(percent, 4);
}

TEST_F(DeviceSettings, UtilizationOfMemoryIsTheShareInUse) {
  const int32_t before = utilization(0).memoryUtilization;
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, 128 << 20, ACL_MEM_MALLOC_HUGE_FIRST));
  EXPECT_NEAR(utilization(0).memoryUtilization, before + 50, 1);
  ACL_OK(aclrtFree(memory));
}

TEST_F(DeviceSettings, UtilizationOfAnUnusedDeviceIsZero) {
  EXPECT_EQ(utilization(1).aicpuUtilization, 0);
  EXPECT_EQ(utilization(1).cubeUtilization, 0);
  EXPECT_EQ(utilization(1).vectorUtilization, 0);
}

TEST_F(DeviceSettings, UtilizationRefusesAnExtensionAndUnknownDevices) {
  aclrtUtilizationInfo info{};
  info.utilizationExtend = static_cast<aclrtUtilizationExtendInfo*>(kInvented);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetDeviceUtilizationRate(0, &info));
  info.utilizationExtend = nullptr;
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtGetDeviceUtilizationRate(4, &info));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtGetDeviceUtilizationRate(-1, &info));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetDeviceUtilizationRate(0, nullptr));
}

TEST_F(DeviceSettings, LimitsAreOfTheProcessAndTellTheNumberSetLast) {
  size_t stack = 0;
  ACL_OK(aclrtDeviceGetLimit(ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE, &stack));
  EXPECT_GE(stack, size_t{32} << 10) << "the one that holds";
  for (int limit = ACL_RT_DEV_LIMIT_SIMT_STACK_SIZE;
       limit <= ACL_RT_DEV_LIMIT_SIMT_PRINTF_FIFO_SIZE; ++limit) {
    const auto which = static_cast<aclrtDeviceLimit>(limit);
    size_t value = 0;
    for (size_t wanted : {size_t{256} << 10, size_t{1} << 20}) {
      ACL_OK(aclrtDeviceSetLimit(which, wanted));
      ACL_OK(aclrtDeviceGetLimit(which, &value));
      EXPECT_EQ(value, wanted);
    }
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceSetLimit(which, 0));
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtDeviceSetLimit(ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE, (size_t{1} << 30) + 1));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceSetLimit(static_cast<aclrtDeviceLimit>(5), 64));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtDeviceGetLimit(static_cast<aclrtDeviceLimit>(-1), &stack));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtDeviceGetLimit(ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE, nullptr));
  ACL_OK(aclrtDeviceSetLimit(ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE, stack));
}

TEST_F(DeviceSettings, ThereAreNoGroups) {
  uint32_t count = 99;
  ACL_OK(aclrtGetGroupCount(&count));
  EXPECT_EQ(count, 0u);
  ACL_CODE(ACL_ERROR_RT_GROUP_NOT_CREATE, aclrtSetGroup(0));
  aclrtGroupInfo* info = aclrtCreateGroupInfo();
  ASSERT_NE(info, nullptr);
  ACL_OK(aclrtGetAllGroupInfo(info));
  int32_t value = 0;
  size_t bytes = 0;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtGetGroupInfoDetail(info, 0, ACL_GROUP_AICORE_INT, &value, sizeof value, &bytes));
  ACL_OK(aclrtDestroyGroupInfo(info));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetGroupCount(nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetAllGroupInfo(nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtDestroyGroupInfo(nullptr));
}

TEST_F(DeviceSettings, TheTaskSchedulerCanBeChosen) {
  ACL_OK(aclrtSetTsDevice(ACL_TS_ID_AICORE));
  ACL_OK(aclrtSetTsDevice(ACL_TS_ID_AIVECTOR));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetTsDevice(ACL_TS_ID_RESERVED));
}

TEST_F(DeviceSettings, FlushingTheCacheNeedsADeviceAndNothingElse) {
  ACL_OK(aclrtDeviceL2CacheFlush(nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceL2CacheFlush(kInvented));
  ACL_OK(aclrtResetDevice(0));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDeviceL2CacheFlush(nullptr));
  ACL_OK(aclrtSetDevice(0));
}

}  // namespace
}  // namespace canopy::test
