// What a failed task does to the streams of its context. (semantics: "Streams", failure mode)
#include "canopy/kernel.h"
#include "tests/unit/api/gate.h"

#include <atomic>
#include <vector>

namespace canopy::test {
namespace {

__global__ __aicore__ void fail_always() { canopy_assert(GetBlockNum() == 0); }
CANOPY_KERNEL(fail_always)

constexpr int kTrap = ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION;

class FailureMode : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtCreateStream(&other_));
  }

  aclrtStream stream_ = nullptr;
  aclrtStream other_ = nullptr;
  std::atomic<int> ran_{0};
};

TEST_F(FailureMode, ContinuesUnlessToldOtherwise) {
  ACL_OK(launch(fail_always, 1, stream_));
  ACL_OK(aclrtLaunchHostFunc(stream_, &add, &ran_));
  ACL_CODE(kTrap, aclrtSynchronizeStream(stream_));
  EXPECT_EQ(ran_.load(), 1);
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(FailureMode, StopOfOneStreamStopsTheWholeContext) {
  ACL_OK(aclrtSetStreamFailureMode(stream_, ACL_STOP_ON_FAILURE));
  Gate gate;
  ACL_OK(gate.close(nullptr));  // streams that are at work, that wait, and that have work queued
  ACL_OK(aclrtLaunchHostFunc(nullptr, &add, &ran_));
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_EXTERNAL));
  ACL_OK(aclrtStreamWaitEvent(stream_, event));
  ACL_OK(aclrtLaunchHostFunc(stream_, &add, &ran_));
  Gate before_the_failure;
  ACL_OK(before_the_failure.close(other_));
  ACL_OK(launch(fail_always, 4, other_));
  ACL_OK(aclrtLaunchHostFunc(other_, &add, &ran_));
  before_the_failure.open();
  ACL_CODE(kTrap, aclrtSynchronizeStream(other_));
  for (aclrtStream each : {stream_, other_, aclrtStream{nullptr}}) {
    ACL_CODE(kTrap, aclrtSynchronizeStream(each));
    ACL_CODE(kTrap, aclrtLaunchHostFunc(each, &add, &ran_));
    ACL_CODE(kTrap, launch(fail_always, 1, each));
    ACL_CODE(kTrap, aclrtRecordEvent(event, each));
    aclrtStreamStatus status;
    ACL_OK(aclrtStreamQuery(each, &status));
    EXPECT_EQ(status, ACL_STREAM_STATUS_COMPLETE);
  }
  ACL_CODE(kTrap, aclrtSynchronizeDevice());
  EXPECT_EQ(ran_.load(), 0);
  aclrtStream late = nullptr;
  ACL_OK(aclrtCreateStream(&late));
  ACL_CODE(kTrap, aclrtLaunchHostFunc(late, &add, &ran_));
}

TEST_F(FailureMode, AStoppedContextCanBeReadAndCleared) {
  ACL_OK(aclrtResetDevice(0));
  aclrtContext context = nullptr;
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtCreateContext(&context, 0));
  ACL_OK(aclrtCreateStream(&stream_));
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtSetStreamFailureMode(stream_, ACL_STOP_ON_FAILURE));
  ACL_OK(aclrtMemset(memory, 64, 1, 64));
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(launch(fail_always, 1, stream_));
  ACL_OK(aclrtMemsetAsync(memory, 64, 2, 64, stream_));
  gate.open();
  ACL_CODE(kTrap, aclrtSynchronizeStream(stream_));
  char bytes[64] = {};
  ACL_OK(aclrtMemcpy(bytes, 64, memory, 64, ACL_MEMCPY_DEVICE_TO_HOST));
  EXPECT_EQ(bytes[0], 1) << "the task behind the failed one did not run";
  ACL_OK(aclrtFree(memory));
  ACL_OK(aclrtDestroyStreamForce(stream_));
  ACL_OK(aclrtDestroyContext(context));
  ACL_OK(aclrtResetDeviceForce(0));
}

TEST_F(FailureMode, LeavesOtherContextsAlone) {
  aclrtContext primary = nullptr;
  ACL_OK(aclrtGetCurrentContext(&primary));
  ACL_OK(aclrtSetStreamFailureMode(stream_, ACL_STOP_ON_FAILURE));
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  ACL_OK(launch(fail_always, 1, nullptr));
  ACL_OK(aclrtLaunchHostFunc(nullptr, &add, &ran_));
  ACL_CODE(kTrap, aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(ran_.load(), 1);
  ACL_OK(aclrtSetCurrentContext(primary));
  ACL_OK(launch(fail_always, 1, stream_));
  ACL_CODE(kTrap, aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtSetCurrentContext(context));
  ACL_OK(aclrtLaunchHostFunc(nullptr, &add, &ran_));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(ran_.load(), 2);
}

TEST_F(FailureMode, AWaitPastItsLimitStopsTheContextToo) {
  ACL_OK(aclrtSetStreamFailureMode(stream_, ACL_STOP_ON_FAILURE));
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_EXTERNAL));
  ACL_OK(aclrtStreamWaitEventWithTimeout(stream_, event, 1));
  ACL_OK(aclrtLaunchHostFunc(stream_, &add, &ran_));
  ACL_CODE(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(stream_));
  EXPECT_EQ(ran_.load(), 0);
}

TEST_F(FailureMode, IsSetOncePerStream) {
  ACL_OK(aclrtSetStreamFailureMode(stream_, ACL_STOP_ON_FAILURE));
  ACL_OK(aclrtSetStreamFailureMode(stream_, ACL_STOP_ON_FAILURE)) << "the same value again";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetStreamFailureMode(stream_, ACL_CONTINUE_ON_FAILURE));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetStreamFailureMode(other_, 2));
  ACL_OK(aclrtSetStreamFailureMode(nullptr, ACL_STOP_ON_FAILURE)) << "the default stream as well";
}

}  // namespace
}  // namespace canopy::test
