// How many cores work may use: of a stream, of a device, of the hardware.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace {

struct Crowd {
  std::atomic<uint32_t> inside{0};
  std::atomic<uint32_t> most{0};
  std::atomic<uint32_t> ran{0};
};

void visit(Crowd* crowd) {
  const uint32_t now = crowd->inside.fetch_add(1) + 1;
  uint32_t most = crowd->most.load();
  while (most < now && !crowd->most.compare_exchange_weak(most, now)) {
  }
  for (int i = 0; i < 3; ++i) {
    canopy_yield();  // others start here, if they may
  }
  crowd->inside.fetch_sub(1);
  crowd->ran.fetch_add(1);
}

__global__ __aicore__ void visit_vector(Crowd* crowd) { visit(crowd); }
CANOPY_KERNEL(visit_vector)
__global__ __aicore__ void visit_cube(Crowd* crowd) { visit(crowd); }
CANOPY_KERNEL_CUBE(visit_cube)
__global__ __aicore__ void gather(Crowd* crowd) {
  SyncAll();
  crowd->ran.fetch_add(1);
}
CANOPY_KERNEL(gather)

}  // namespace

namespace canopy::test {
namespace {

constexpr auto kCube = ACL_RT_DEV_RES_CUBE_CORE;
constexpr auto kVector = ACL_RT_DEV_RES_VECTOR_CORE;

class CoreLimit : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtCreateStream(&other_));
    int64_t cores = 0;
    ACL_OK(aclrtGetDeviceInfo(0, ACL_DEV_ATTR_VECTOR_CORE_NUM, &cores));
    vector_cores_ = static_cast<uint32_t>(cores);
    ACL_OK(aclrtGetDeviceInfo(0, ACL_DEV_ATTR_CUBE_CORE_NUM, &cores));
    cube_cores_ = static_cast<uint32_t>(cores);
  }
  static uint32_t of_device(aclrtDevResLimitType type, int device = 0) {
    uint32_t value = 0;
    EXPECT_EQ(aclrtGetDeviceResLimit(device, type, &value), ACL_SUCCESS) << why();
    return value;
  }
  static uint32_t of_stream(aclrtStream stream, aclrtDevResLimitType type) {
    uint32_t value = 0;
    EXPECT_EQ(aclrtGetStreamResLimit(stream, type, &value), ACL_SUCCESS) << why();
    return value;
  }
  static uint32_t of_thread(aclrtDevResLimitType type) {
    uint32_t value = 0;
    EXPECT_EQ(aclrtGetResInCurrentThread(type, &value), ACL_SUCCESS) << why();
    return value;
  }
  // The most blocks that were on cores at once.
  uint32_t most_at_once(void (*kernel)(Crowd*), aclrtStream stream) {
    Crowd crowd;
    EXPECT_EQ(launch(kernel, 60, stream, &crowd), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS) << why();
    EXPECT_EQ(crowd.ran.load(), 60u);
    return crowd.most.load();
  }

  aclrtStream stream_ = nullptr;
  aclrtStream other_ = nullptr;
  uint32_t vector_cores_ = 0;
  uint32_t cube_cores_ = 0;
};

TEST_F(CoreLimit, IsTheHardwaresWithoutAny) {
  EXPECT_EQ(of_device(kVector), vector_cores_);
  EXPECT_EQ(of_device(kCube), cube_cores_);
  EXPECT_EQ(of_stream(stream_, kVector), vector_cores_);
  EXPECT_EQ(of_thread(kCube), cube_cores_);
}

TEST_F(CoreLimit, OfAStreamGoesBeforeTheDevicesBeforeTheHardwares) {
  ACL_OK(aclrtSetDeviceResLimit(0, kVector, 5));
  ACL_OK(aclrtSetStreamResLimit(stream_, kVector, 7));
  EXPECT_EQ(of_device(kVector), 5u);
  EXPECT_EQ(of_stream(stream_, kVector), 7u);
  EXPECT_EQ(of_stream(other_, kVector), 5u);
  EXPECT_EQ(of_stream(nullptr, kVector), 5u);
  EXPECT_EQ(of_stream(stream_, kCube), cube_cores_);
  ACL_OK(aclrtResetStreamResLimit(stream_));
  EXPECT_EQ(of_stream(stream_, kVector), 5u);
  ACL_OK(aclrtResetDeviceResLimit(0));
  EXPECT_EQ(of_stream(stream_, kVector), vector_cores_);
  EXPECT_EQ(of_device(kVector), vector_cores_);
}

TEST_F(CoreLimit, OfAStreamIsSeenByAThreadOnlyWhileItUsesThatStream) {
  ACL_OK(aclrtSetStreamResLimit(stream_, kVector, 3));
  EXPECT_EQ(of_thread(kVector), vector_cores_);
  ACL_OK(aclrtUseStreamResInCurrentThread(stream_));
  EXPECT_EQ(of_thread(kVector), 3u);
  std::thread([&] {
    ACL_OK(aclrtSetDevice(0));
    EXPECT_EQ(of_thread(kVector), vector_cores_);
  }).join();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtUnuseStreamResInCurrentThread(other_));
  ACL_OK(aclrtUnuseStreamResInCurrentThread(stream_));
  EXPECT_EQ(of_thread(kVector), vector_cores_);
}

TEST_F(CoreLimit, OfAStreamThatIsGoneLimitsNothing) {
  ACL_OK(aclrtSetStreamResLimit(stream_, kVector, 3));
  ACL_OK(aclrtUseStreamResInCurrentThread(stream_));
  ACL_OK(aclrtDestroyStream(stream_));
  EXPECT_EQ(of_thread(kVector), vector_cores_);
}

TEST_F(CoreLimit, HoldsForBlocksThatRunAtOnce) {
  ACL_OK(aclrtSetStreamResLimit(stream_, kVector, 2));
  EXPECT_LE(most_at_once(visit_vector, stream_), 2u);
  ACL_OK(aclrtSetStreamResLimit(stream_, kCube, 1));
  EXPECT_EQ(most_at_once(visit_cube, stream_), 1u);
  ACL_OK(aclrtSetDeviceResLimit(0, kVector, 3));
  EXPECT_LE(most_at_once(visit_vector, other_), 3u);
  ACL_OK(aclrtResetDeviceResLimit(0));
  EXPECT_GT(most_at_once(visit_vector, other_), 3u) << "60 blocks that yield share the cores";
}

TEST_F(CoreLimit, HoldsForTasksQueuedLaterOnly) {
  Crowd before;
  Gate gate;
  ACL_OK(gate.close(stream_));
  OpenAtEnd at_end(gate, stream_);
  ACL_OK(launch(visit_vector, 60, stream_, &before));
  ACL_OK(aclrtSetStreamResLimit(stream_, kVector, 1));
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_GT(before.most.load(), 1u);
  EXPECT_EQ(most_at_once(visit_vector, stream_), 1u);
}

TEST_F(CoreLimit, IsWhatSyncAllCanPassAmong) {
  Crowd crowd;
  ACL_OK(aclrtSetStreamResLimit(stream_, kVector, 4));
  ACL_OK(launch(gather, 4, stream_, &crowd));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(crowd.ran.load(), 4u);
  ACL_OK(launch(gather, 5, stream_, &crowd));
  ACL_CODE(ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION, aclrtSynchronizeStream(stream_));
}

TEST_F(CoreLimit, OutOfRangeIs107000AndWrongDevices107001) {
  for (const uint32_t value : {0u, vector_cores_ + 1}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetDeviceResLimit(0, kVector, value));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetStreamResLimit(stream_, kVector, value));
  }
  uint32_t value = 0;
  const auto none = static_cast<aclrtDevResLimitType>(7);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetDeviceResLimit(0, none, 1));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetDeviceResLimit(0, none, &value));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetStreamResLimit(stream_, none, &value));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetResInCurrentThread(none, &value));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtSetDeviceResLimit(64, kVector, 1));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtGetDeviceResLimit(-1, kVector, &value));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtResetDeviceResLimit(64));
  EXPECT_EQ(of_device(kVector), vector_cores_);
}

TEST_F(CoreLimit, OfAStreamThatIsNoneIs107017) {
  uint32_t value = 0;
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtSetStreamResLimit(kInvented, kVector, 1));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtGetStreamResLimit(kInvented, kVector, &value));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtResetStreamResLimit(kInvented));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtUseStreamResInCurrentThread(kInvented));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtUnuseStreamResInCurrentThread(kInvented));
}

TEST_F(CoreLimit, IsGoneAfterFinalize) {
  ACL_OK(aclrtSetDeviceResLimit(0, kVector, 2));
  ACL_OK(aclFinalize());
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclrtSetDevice(0));
  EXPECT_EQ(of_device(kVector), vector_cores_);
}

}  // namespace
}  // namespace canopy::test
