// Rows of the semantics page, and codes, that no other file of this folder is about.
#include "canopy/kernel.h"
#include "tests/unit/api/gate.h"

#include <string>
#include <vector>

namespace {

__global__ __aicore__ void fail_always() { canopy_assert(GetBlockNum() == 0); }
CANOPY_KERNEL(fail_always)

}  // namespace

namespace canopy::test {
namespace {

using SmallRows = AclTest;

TEST_F(SmallRows, AsynchronousErrorsAreLastErrorsTooOnceTheyAreTold) {
  (void)aclrtGetLastError(ACL_RT_THREAD_LEVEL);  // of tests before this one
  ACL_OK(launch(fail_always, 1, nullptr));
  EXPECT_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS) << "nothing is told before";
  constexpr int kTrap = ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION;
  ACL_CODE(kTrap, aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), kTrap);
  EXPECT_EQ(aclrtGetLastError(ACL_RT_THREAD_LEVEL), kTrap);
  ACL_OK(aclrtSynchronizeStream(nullptr)) << "it is told once";
}

TEST_F(SmallRows, ATimeLimitOfTheDeviceThatExpiresIs507046AndTheWorkGoesOn) {
  Gate gate;
  ACL_OK(gate.close(nullptr));
  OpenAtEnd open(gate, nullptr);
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeDeviceWithTimeout(20));
}

TEST_F(SmallRows, ATimeLimitOfTheDeviceIsMinusOneOrAboveZero) {
  for (int32_t limit : {0, -2, INT32_MIN}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSynchronizeDeviceWithTimeout(limit));
  }
  ACL_OK(aclrtSynchronizeDeviceWithTimeout(-1));
  ACL_OK(aclrtSynchronizeDeviceWithTimeout(1));
}

TEST_F(SmallRows, APriorityOutsideOfZeroToSevenIs107000) {
  aclrtStream stream = nullptr;
  for (uint32_t priority : {8u, 100u, ~0u}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateStreamWithConfig(&stream, priority, 0));
  }
  int32_t least = -1;
  int32_t greatest = -1;
  ACL_OK(aclrtDeviceGetStreamPriorityRange(&least, &greatest));
  EXPECT_EQ(least, 7);
  EXPECT_EQ(greatest, 0);
}

TEST_F(SmallRows, AnAsynchronousCopyOntoItselfAndOneOfNothingSucceedAndQueueNothing) {
  void* memory = nullptr;
  Gate gate;
  ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMemcpyAsync(memory, 64, memory, 64, ACL_MEMCPY_DEVICE_TO_DEVICE, nullptr));
  ACL_OK(aclrtMemcpyAsync(memory, 64, memory, 0, ACL_MEMCPY_DEFAULT, nullptr));
  aclrtStreamStatus status = ACL_STREAM_STATUS_NOT_READY;
  ACL_OK(aclrtStreamQuery(nullptr, &status));
  EXPECT_EQ(status, ACL_STREAM_STATUS_COMPLETE);
}

TEST_F(SmallRows, AKindOfCopyThatIsNoneIs107000EverywhereAndDefaultIsAlwaysFine) {
  void* memory = nullptr;
  void* host = nullptr;
  ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMallocHost(&host, 64));
  for (int kind : {-1, 8, 1000}) {
    const auto none = static_cast<aclrtMemcpyKind>(kind);
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(memory, 64, host, 64, none));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpyAsync(memory, 64, host, 64, none, nullptr));
  }
  ACL_OK(aclrtMemcpy(memory, 64, host, 64, ACL_MEMCPY_DEFAULT));
  ACL_OK(aclrtMemcpyAsync(host, 64, memory, 64, ACL_MEMCPY_DEFAULT, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  ACL_OK(aclrtFreeHost(host));
}

TEST_F(SmallRows, AMappedAddressIsForKernelsAndNotForCopies) {
  constexpr size_t kPage = 4096;
  std::vector<char> host(2 * kPage);
  void* base = host.data() + (kPage - reinterpret_cast<uintptr_t>(host.data()) % kPage);
  void* alias = nullptr;
  ACL_OK(aclrtHostRegister(base, kPage, ACL_HOST_REGISTER_MAPPED, &alias));
  char bytes[8] = {};
  if (alias != base) {
    EXPECT_NE(aclrtMemcpy(bytes, 8, alias, 8, ACL_MEMCPY_DEVICE_TO_HOST), ACL_SUCCESS);
  }
  ACL_OK(aclrtHostUnregister(base));
}

TEST_F(SmallRows, SynchronisingWithANewEventThatWasNeverRecordedIsOver) {
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  ACL_OK(aclrtSynchronizeEvent(event));
  ACL_OK(aclrtSynchronizeEventWithTimeout(event, 1));
  for (int32_t limit : {0, -2}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSynchronizeEventWithTimeout(event, limit));
  }
  ACL_OK(aclrtDestroyEvent(event));
}

// A context may come before any aclrtSetDevice: it opens the device, which stays open as long as it
// does.
TEST(SmallRow, AContextOfADeviceThatNobodySetOpensItForAsLongAsItLives) {
  ACL_OK(aclInit(nullptr));
  aclrtContext context = nullptr;
  int32_t active = 1;
  void* memory = nullptr;
  ACL_OK(aclrtCreateContext(&context, 1));
  ACL_OK(aclrtGetPrimaryCtxState(1, nullptr, &active));
  EXPECT_EQ(active, 0) << "it is not the primary one";
  ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDevice(1)) << "no reference was taken";
  ACL_OK(aclrtFree(memory));
  ACL_OK(aclrtDestroyContext(context));
  ACL_OK(aclFinalize());
}

TEST(SmallRow, FinalizingWithoutInitIs100037InBothForms) {
  uint64_t left = 7;
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize());
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalizeReference(&left));
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclFinalizeReference(&left));
  EXPECT_EQ(left, 0u);
  ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalizeReference(&left));
}

TEST(SmallRow, WithoutADeviceWhatNeedsOneIs107002) {
  ACL_OK(aclInit(nullptr));
  int32_t device = 0;
  aclrtContext context = nullptr;
  aclrtStream stream = nullptr;
  aclrtEvent event = nullptr;
  aclrtNotify notify = nullptr;
  uint32_t number = 0;
  void* memory = nullptr;
  constexpr int kCode = ACL_ERROR_RT_CONTEXT_NULL;
  ACL_CODE(kCode, aclrtGetDevice(&device));
  ACL_CODE(kCode, aclrtGetCurrentContext(&context));
  ACL_CODE(kCode, aclrtCtxGetCurrentDefaultStream(&stream));
  ACL_CODE(kCode, aclrtCreateStream(&stream));
  ACL_CODE(kCode, aclrtCreateStreamWithConfig(&stream, 0, 0));
  ACL_CODE(kCode, aclrtGetStreamAvailableNum(&number));
  ACL_CODE(kCode, aclrtCreateEvent(&event));
  ACL_CODE(kCode, aclrtCreateEventWithFlag(&event, ACL_EVENT_SYNC));
  ACL_CODE(kCode, aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  ACL_CODE(kCode, aclrtGetEventAvailNum(&number));
  ACL_CODE(kCode, aclrtCreateNotify(&notify, 0));
  ACL_CODE(kCode, aclrtCntNotifyCreate(&notify, 0));
  ACL_CODE(kCode, aclrtSynchronizeDevice());
  ACL_CODE(kCode, aclrtSynchronizeDeviceWithTimeout(1));
  ACL_CODE(kCode, aclrtSynchronizeStream(nullptr));
  ACL_CODE(kCode, aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_CODE(kCode, aclrtMallocHost(&memory, 64));
  ACL_CODE(kCode, aclrtMemAllocManaged(&memory, 2 << 20, 1));
  ACL_CODE(kCode, aclrtDeviceEnablePeerAccess(1, 0));
  ACL_CODE(kCode, aclrtLaunchHostFunc(
                      nullptr, [](void*) {}, nullptr));
  ACL_OK(aclFinalize());
}

}  // namespace
}  // namespace canopy::test
