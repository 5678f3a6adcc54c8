// Devices and the primary context; peer access.
#include "tests/unit/api/gate.h"

#include <atomic>
#include <string>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace canopy::test {
namespace {

class Device : public AclTest {};

TEST_F(Device, SetDeviceSelectsForTheCallingThread) {
  ACL_OK(aclrtSetDevice(1));
  int32_t device = -1;
  ACL_OK(aclrtGetDevice(&device));
  EXPECT_EQ(device, 1);
  std::thread([] {
    int32_t other = -1;
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetDevice(&other));
    EXPECT_EQ(other, -1) << "an output is set on success only";
  }).join();
}

TEST_F(Device, AnIdThatDoesNotExistIs107001) {
  for (int32_t id : {-1, -2147483647 - 1, kDevices, 64, 1'000'000, 2147483647}) {
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtSetDevice(id)) << id;
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtResetDevice(id)) << id;
    aclrtContext context = nullptr;
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtCreateContext(&context, id)) << id;
  }
  int32_t device = -1;
  ACL_OK(aclrtGetDevice(&device));
  EXPECT_EQ(device, 0) << "a refused call changes nothing";
}

TEST_F(Device, EverySetAddsAReferenceAlsoFromTheSameThread) {
  ACL_OK(aclrtSetDevice(0));  // the second
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  ACL_OK(aclrtResetDevice(0));
  ACL_OK(aclrtSynchronizeStream(stream));
  ACL_OK(aclrtResetDevice(0));
  EXPECT_NE(aclrtSynchronizeStream(stream), ACL_SUCCESS);
  ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDevice(0));
}

TEST_F(Device, ThreadsThatSetTheSameDeviceShareItsPrimaryContextAndDefaultStream) {
  aclrtContext context = nullptr;
  aclrtStream stream = nullptr;
  ACL_OK(aclrtGetCurrentContext(&context));
  ACL_OK(aclrtCtxGetCurrentDefaultStream(&stream));
  std::thread([&] {
    ACL_OK(aclrtSetDevice(0));
    aclrtContext other_context = nullptr;
    aclrtStream other_stream = nullptr;
    ACL_OK(aclrtGetCurrentContext(&other_context));
    ACL_OK(aclrtCtxGetCurrentDefaultStream(&other_stream));
    EXPECT_EQ(other_context, context);
    EXPECT_EQ(other_stream, stream);
    ACL_OK(aclrtResetDevice(0));
  }).join();
  ACL_OK(aclrtSynchronizeStream(stream));
}

TEST_F(Device, SetDeviceDropsAnExplicitContextOfTheThread) {
  aclrtContext primary = nullptr;
  ACL_OK(aclrtGetCurrentContext(&primary));
  aclrtContext own = nullptr;
  ACL_OK(aclrtCreateContext(&own, 0));
  ACL_OK(aclrtSetDevice(0));
  aclrtContext now = nullptr;
  ACL_OK(aclrtGetCurrentContext(&now));
  EXPECT_EQ(now, primary);
}

TEST_F(Device, TheLastResetWaitsForQueuedWork) {
  std::atomic<int> ran{0};
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  Gate gate;
  ACL_OK(gate.close(stream));
  ACL_OK(aclrtLaunchHostFunc(stream, [](void* p) { static_cast<std::atomic<int>*>(p)->fetch_add(1); }, &ran));
  std::jthread opener([&] { gate.open(); });
  ACL_OK(aclrtResetDevice(0));
  EXPECT_EQ(ran.load(), 1);
}

TEST_F(Device, AfterAFullResetEveryHandleOfItIsAnErrorAndNoCrash) {
  aclrtContext context = nullptr;
  aclrtStream stream = nullptr;
  aclrtEvent event = nullptr;
  ACL_OK(aclrtGetCurrentContext(&context));
  ACL_OK(aclrtCreateStream(&stream));
  ACL_OK(aclrtCreateEvent(&event));
  ACL_OK(aclrtRecordEvent(event, stream));
  ACL_OK(aclrtResetDevice(0));
  EXPECT_NE(aclrtSynchronizeStream(stream), ACL_SUCCESS);
  EXPECT_NE(aclrtSetCurrentContext(context), ACL_SUCCESS);
  ACL_OK(aclrtSetDevice(0));
  EXPECT_NE(aclrtSynchronizeStream(stream), ACL_SUCCESS);
  EXPECT_NE(aclrtDestroyStream(stream), ACL_SUCCESS);
  aclrtEventStatus status;
  EXPECT_NE(aclrtQueryEvent(event, &status), ACL_SUCCESS);
  EXPECT_NE(aclrtSynchronizeEvent(event), ACL_SUCCESS);
  EXPECT_NE(aclrtStreamWaitEvent(nullptr, event), ACL_SUCCESS);
  EXPECT_NE(aclrtDestroyEvent(event), ACL_SUCCESS);
}

TEST_F(Device, AnEventSurvivesTheResetOfAnotherDeviceThatRecordedIt) {
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEvent(&event));
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtRecordEvent(event, nullptr));
  ACL_OK(aclrtResetDevice(1));  // its event cells go with it
  ACL_OK(aclrtSetDevice(0));
  aclrtEventStatus status = ACL_EVENT_STATUS_RESERVED;
  ACL_OK(aclrtQueryEvent(event, &status));
  EXPECT_EQ(status, ACL_EVENT_STATUS_COMPLETE);
  ACL_OK(aclrtSynchronizeEvent(event));
  ACL_OK(aclrtStreamWaitEvent(nullptr, event));
  ACL_OK(aclrtRecordEvent(event, nullptr));
  ACL_OK(aclrtSynchronizeEvent(event));
  ACL_OK(aclrtDestroyEvent(event));
}

TEST_F(Device, AResetInOneThreadMakesTheOthersContextStale) {
  std::atomic<int> stage{0};
  std::jthread other([&] {
    ACL_OK(aclrtSetDevice(1));
    stage.store(1);
    while (stage.load() != 2) {
      std::this_thread::yield();
    }
    void* memory = nullptr;
    EXPECT_NE(aclrtMalloc(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
    EXPECT_NE(aclrtSynchronizeDevice(), ACL_SUCCESS);
    ACL_OK(aclrtSetDevice(1));
    ACL_OK(aclrtMalloc(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST));
  });
  while (stage.load() != 1) {
    std::this_thread::yield();
  }
  ACL_OK(aclrtResetDevice(1));
  stage.store(2);
}

TEST_F(Device, SetAndResetManyTimesEndsWithNothingUsed) {
  for (int i = 0; i < 100; ++i) {
    ACL_OK(aclrtSetDevice(1));
    size_t free = 0;
    size_t total = 0;
    ACL_OK(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total));
    ASSERT_EQ(total, kHbmBytes);
    ASSERT_EQ(free, total) << "memory of the round before was not given back";
    void* memory = nullptr;
    ACL_OK(aclrtMalloc(&memory, 3 << 20, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtResetDevice(1));
  }
}

// A reset that waits for one device's work must not stop threads that work with another device.
TEST_F(Device, AResetThatWaitsDoesNotHoldUpOtherDevices) {
  Gate gate;
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(gate.close(nullptr));
  std::atomic<bool> reset_done{false};
  std::jthread resetter([&] {
    EXPECT_EQ(aclrtResetDevice(1), ACL_SUCCESS);
    reset_done.store(true);
  });
  std::jthread worker([&] {
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(aclrtSetDevice(2), ACL_SUCCESS);
      EXPECT_EQ(aclrtResetDevice(2), ACL_SUCCESS);
    }
    EXPECT_FALSE(reset_done.load());
    gate.open();  // only this lets the reset end
  });
  worker.join();
  resetter.join();
  EXPECT_TRUE(reset_done.load());
}

TEST_F(Device, MemoryOfAResetDeviceIsAnErrorAndNoCrash) {
  ACL_OK(aclrtSetDevice(1));
  void* small = nullptr;
  void* large = nullptr;
  ACL_OK(aclrtMalloc(&small, 100, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMalloc(&large, 5 << 20, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtResetDevice(1));
  ACL_OK(aclrtSetDevice(0));
  char bytes[64] = {};
  for (void* memory : {small, large}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(memory, 64, bytes, 64, ACL_MEMCPY_DEFAULT));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(bytes, 64, memory, 64, ACL_MEMCPY_DEFAULT));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(memory, 64, 0, 64));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(memory));
  }
}

// Each look-up of an address goes through all devices, those included that come and go.
TEST_F(Device, OthersMayComeAndGoWhileOneIsInUse) {
  std::atomic<bool> done{false};
  std::jthread other([&] {
    for (int i = 0; i < 300; ++i) {
      EXPECT_EQ(aclrtSetDevice(1), ACL_SUCCESS);
      void* memory = nullptr;
      EXPECT_EQ(aclrtMalloc(&memory, 3 << 20, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
      EXPECT_EQ(aclrtMemsetAsync(memory, 64, 1, 64, nullptr), ACL_SUCCESS);
      EXPECT_EQ(aclrtResetDevice(1), ACL_SUCCESS);
    }
    done.store(true);
  });
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST));
  char bytes[64] = {};
  while (!done.load()) {
    ACL_OK(aclrtMemcpy(memory, 64, bytes, 64, ACL_MEMCPY_DEFAULT));
    ACL_OK(aclrtMemsetAsync(memory, 64, 1, 64, nullptr));
    ACL_OK(aclrtSynchronizeStream(nullptr));
  }
}

TEST_F(Device, CountNameAndRunMode) {
  uint32_t count = 0;
  ACL_OK(aclrtGetDeviceCount(&count));
  EXPECT_EQ(count, static_cast<uint32_t>(kDevices));
  EXPECT_STREQ(aclrtGetSocName(), "TestNPU");
  aclrtRunMode mode = ACL_DEVICE;
  ACL_OK(aclrtGetRunMode(&mode));
  EXPECT_EQ(mode, ACL_HOST);
}

class PeerAccess : public AclTest {};

TEST_F(PeerAccess, IsPossibleWhereTheLinkAllowsIt) {
  int32_t can = -1;
  ACL_OK(aclrtDeviceCanAccessPeer(&can, 0, kNear));
  EXPECT_EQ(can, 1);
  ACL_OK(aclrtDeviceCanAccessPeer(&can, 0, kStaged));
  EXPECT_EQ(can, 1);
  ACL_OK(aclrtDeviceCanAccessPeer(&can, 0, kUnreachable));
  EXPECT_EQ(can, 0);
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtDeviceEnablePeerAccess(kUnreachable, 0));
}

TEST_F(PeerAccess, IsOneWayAndCanBeTakenBack) {
  int32_t status = -1;
  ACL_OK(aclrtDeviceEnablePeerAccess(kNear, 0));
  ACL_OK(aclrtDevicePeerAccessStatus(0, kNear, &status));
  EXPECT_EQ(status, 1);
  ACL_OK(aclrtDevicePeerAccessStatus(kNear, 0, &status));
  EXPECT_EQ(status, 0);
  ACL_OK(aclrtDeviceDisablePeerAccess(kNear));
  ACL_OK(aclrtDevicePeerAccessStatus(0, kNear, &status));
  EXPECT_EQ(status, 0);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceDisablePeerAccess(kNear));
}

TEST_F(PeerAccess, RefusesItselfUnknownDevicesAndFlags) {
  int32_t can = -1;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceCanAccessPeer(&can, 0, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceEnablePeerAccess(0, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceEnablePeerAccess(kNear, 1));
  for (int32_t id : {-1, kDevices, 99}) {
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtDeviceEnablePeerAccess(id, 0));
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtDeviceDisablePeerAccess(id));
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtDeviceCanAccessPeer(&can, id, 0));
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtDeviceCanAccessPeer(&can, 0, id));
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtDevicePeerAccessStatus(0, id, &can));
  }
}

TEST_F(Device, ForceDropsAllReferencesAtOnce) {
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtSetDevice(0));  // three, with that of the set-up
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  ACL_OK(aclrtResetDeviceForce(0));
  EXPECT_NE(aclrtSynchronizeStream(stream), ACL_SUCCESS);
  int32_t active = 7;
  ACL_OK(aclrtGetPrimaryCtxState(0, nullptr, &active));
  EXPECT_EQ(active, 0);
}

TEST_F(Device, ForceWaitsForQueuedWork) {
  static std::atomic<int> ran;
  ran = 0;
  for (int i = 0; i < 200; ++i) {
    ACL_OK(aclrtLaunchHostFunc(nullptr, [](void*) { ++ran; }, nullptr));
  }
  ACL_OK(aclrtResetDeviceForce(0));
  EXPECT_EQ(ran.load(), 200);
}

TEST_F(Device, ForceWithoutAReferenceIs507007) {
  ACL_OK(aclrtResetDeviceForce(0));
  ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDeviceForce(0));
  ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDevice(0));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtResetDeviceForce(kDevices));
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtResetDevice(0));  // first the counted ones, then force, is legal
  ACL_OK(aclrtResetDeviceForce(0));
  std::thread([] { ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDeviceForce(0)); }).join();
}

using States = std::vector<std::pair<int32_t, int>>;

void hear_state(int32_t device, aclrtDeviceState state, void* heard) {
  static_cast<States*>(heard)->emplace_back(device, state);
}

TEST_F(Device, StateCallbacksHearOfEverySetAndReset) {
  States heard;
  ACL_OK(aclrtRegDeviceStateCallback("test", hear_state, &heard));
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtResetDevice(1));
  ACL_OK(aclrtResetDeviceForce(1));
  EXPECT_EQ(heard, (States{{1, 0}, {1, 1}, {1, 0}, {1, 1}, {1, 2}, {1, 3}, {1, 2}, {1, 3}}));
  heard.clear();
  ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDevice(1));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtSetDevice(kDevices));
  EXPECT_TRUE(heard.empty()) << "what fails changes no state";
  ACL_OK(aclFinalize());
  EXPECT_EQ(heard, (States{{0, 2}, {0, 3}}));
  ACL_OK(aclrtRegDeviceStateCallback("test", nullptr, nullptr));
  heard.clear();
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclrtSetDevice(0));
  EXPECT_TRUE(heard.empty());
}

TEST_F(Device, StateCallbacksHaveNamesOfTheirOwn) {
  States first;
  States second;
  ACL_OK(aclrtRegDeviceStateCallback("a", hear_state, &first));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtRegDeviceStateCallback("a", hear_state, &second));
  ACL_OK(aclrtRegDeviceStateCallback("b", hear_state, &second));
  ACL_OK(aclrtSetDevice(0));
  EXPECT_EQ(first.size(), 2u);
  EXPECT_EQ(second.size(), 2u);
  ACL_OK(aclrtRegDeviceStateCallback("a", nullptr, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtRegDeviceStateCallback("a", nullptr, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtRegDeviceStateCallback(nullptr, hear_state, nullptr));
  ACL_OK(aclrtSetDevice(0));
  EXPECT_EQ(first.size(), 2u);
  EXPECT_EQ(second.size(), 4u);
  ACL_OK(aclrtRegDeviceStateCallback("b", nullptr, nullptr));
}

// In the state `when`.
void throw_in_state(int32_t, aclrtDeviceState state, void* when) {
  if (state == *static_cast<aclrtDeviceState*>(when)) {
    throw std::runtime_error("not now");
  }
}

TEST_F(Device, AStateCallbackThatThrowsDoesNotKeepAResetFromItsEnd) {
  for (aclrtDeviceState when : {ACL_RT_DEVICE_STATE_RESET_PRE, ACL_RT_DEVICE_STATE_RESET_POST}) {
    for (const auto reset : {&aclrtResetDevice, &aclrtResetDeviceForce}) {
      States heard;
      ACL_OK(aclrtSetDevice(1));
      aclrtStream stream = nullptr;
      ACL_OK(aclrtCreateStream(&stream));
      ACL_OK(aclrtRegDeviceStateCallback("throws", throw_in_state, &when));
      ACL_OK(aclrtRegDeviceStateCallback("hears", hear_state, &heard));
      ACL_CODE(ACL_ERROR_RT_INTERNAL_ERROR, reset(1));
      EXPECT_STREQ(why(), "the device state callback 'throws' has thrown an exception: not now; the device was reset all the same");
      ACL_OK(aclrtRegDeviceStateCallback("throws", nullptr, nullptr));
      ACL_OK(aclrtRegDeviceStateCallback("hears", nullptr, nullptr));
      EXPECT_EQ(heard, (States{{1, 2}, {1, 3}}));
      ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, reset(1)) << "it is done";
      ACL_OK(aclrtSetDevice(0));
      ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtSynchronizeStream(stream));
    }
  }
}

TEST_F(Device, AStateCallbackThatThrowsKeepsADeviceFromBeingSet) {
  for (aclrtDeviceState when : {ACL_RT_DEVICE_STATE_SET_PRE, ACL_RT_DEVICE_STATE_SET_POST}) {
    ACL_OK(aclrtRegDeviceStateCallback("throws", throw_in_state, &when));
    ACL_CODE(ACL_ERROR_RT_INTERNAL_ERROR, aclrtSetDevice(1));
    EXPECT_STREQ(why(), "the device state callback 'throws' has thrown an exception: not now; the device was not set");
    ACL_OK(aclrtRegDeviceStateCallback("throws", nullptr, nullptr));
    int32_t device = -1;
    ACL_OK(aclrtGetDevice(&device));
    EXPECT_EQ(device, 0) << "as before";
    ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDevice(1)) << "nothing is left";
  }
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtResetDevice(1));
  ACL_OK(aclrtSetDevice(0));
}

TEST_F(Device, AStateCallbackThatThrowsDoesNotKeepFinalizeFromItsEnd) {
  aclrtDeviceState when = ACL_RT_DEVICE_STATE_RESET_PRE;
  ACL_OK(aclrtRegDeviceStateCallback("throws", throw_in_state, &when));
  ACL_CODE(ACL_ERROR_RT_INTERNAL_ERROR, aclFinalize());
  EXPECT_STREQ(why(), "the device state callback 'throws' has thrown an exception: not now; the runtime was finalized all the same");
  ACL_OK(aclrtRegDeviceStateCallback("throws", nullptr, nullptr));
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize());
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclrtSetDevice(0));
}

TEST_F(Device, AStateCallbackMayUseTheRuntime) {
  const auto ask = [](int32_t device, aclrtDeviceState state, void* asked) {
    int32_t active = -1;
    EXPECT_EQ(aclrtGetPrimaryCtxState(device, nullptr, &active), ACL_SUCCESS);
    EXPECT_EQ(active, state == ACL_RT_DEVICE_STATE_SET_POST || state == ACL_RT_DEVICE_STATE_RESET_PRE ? 1 : 0);
    ++*static_cast<int*>(asked);
  };
  int asked = 0;
  ACL_OK(aclrtRegDeviceStateCallback("ask", ask, &asked));
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtResetDevice(1));
  ACL_OK(aclrtRegDeviceStateCallback("ask", nullptr, nullptr));
  EXPECT_EQ(asked, 4);
}

}  // namespace
}  // namespace canopy::test
