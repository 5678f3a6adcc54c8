// Contexts: explicit ones, their default streams, and what happens to those of other contexts.
#include "tests/unit/api/gate.h"

#include <atomic>
#include <thread>

namespace canopy::test {
namespace {

class Context : public AclTest {};

TEST_F(Context, CreateMakesItCurrentWithADefaultStreamOfItsOwn) {
  aclrtStream primary = nullptr;
  ACL_OK(aclrtCtxGetCurrentDefaultStream(&primary));
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 1));
  aclrtContext now = nullptr;
  ACL_OK(aclrtGetCurrentContext(&now));
  EXPECT_EQ(now, context);
  int32_t device = -1;
  ACL_OK(aclrtGetDevice(&device));
  EXPECT_EQ(device, 1);
  aclrtStream own = nullptr;
  ACL_OK(aclrtCtxGetCurrentDefaultStream(&own));
  EXPECT_NE(own, primary);
  ACL_OK(aclrtSynchronizeStream(own));
  ACL_OK(aclrtDestroyContext(context));
}

TEST_F(Context, SetCurrentSwitchesContextAndDeviceAndTheLastCallWins) {
  aclrtContext first = nullptr;
  aclrtContext second = nullptr;
  ACL_OK(aclrtCreateContext(&first, 1));
  ACL_OK(aclrtCreateContext(&second, 2));
  int32_t device = -1;
  ACL_OK(aclrtSetCurrentContext(first));
  ACL_OK(aclrtGetDevice(&device));
  EXPECT_EQ(device, 1);
  ACL_OK(aclrtSetCurrentContext(second));
  ACL_OK(aclrtGetDevice(&device));
  EXPECT_EQ(device, 2);
}

TEST_F(Context, ThePrimaryOneCannotBeDestroyed) {
  aclrtContext primary = nullptr;
  ACL_OK(aclrtGetCurrentContext(&primary));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDestroyContext(primary));
  ACL_OK(aclrtSynchronizeDevice());
}

TEST_F(Context, DestroyedAndInventedHandlesAreErrors) {
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  ACL_OK(aclrtDestroyContext(context));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyContext(context));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtSetCurrentContext(context));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtSetCurrentContext(kInvented));
  aclrtStream stream = nullptr;
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtCreateStream(&stream));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtSetCurrentContext(stream)) << "a stream is no context";
}

TEST_F(Context, AfterItsDestructionTheThreadHasNone) {
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  ACL_OK(aclrtDestroyContext(context));
  int32_t device = -1;
  ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetDevice(&device));
}

TEST_F(Context, DestroyedByAnotherThreadItIsStaleHere) {
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  std::thread([&] { EXPECT_EQ(aclrtDestroyContext(context), ACL_SUCCESS); }).join();
  aclrtStream stream = nullptr;
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtCreateStream(&stream));
}

TEST_F(Context, DestroyWaitsForItsStreams) {
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  std::atomic<int> ran{0};
  Gate gate;
  ACL_OK(gate.close(nullptr));
  ACL_OK(aclrtLaunchHostFunc(
      nullptr, [](void* p) { static_cast<std::atomic<int>*>(p)->fetch_add(1); }, &ran));
  std::jthread opener([&] { gate.open(); });
  ACL_OK(aclrtDestroyContext(context));
  EXPECT_EQ(ran.load(), 1);
}

TEST_F(Context, ExplicitOnesKeepTheDeviceAliveAfterAReset) {
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtResetDevice(0));
  ACL_OK(aclrtMemset(memory, 64, 3, 64));
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  ACL_OK(aclrtSynchronizeStream(stream));
  ACL_OK(aclrtFree(memory));
  ACL_OK(aclrtDestroyContext(context));
}

TEST_F(Context, AStreamOfAnotherOneIs107003) {
  aclrtStream foreign = nullptr;
  ACL_OK(aclrtCreateStream(&foreign));
  aclrtContext primary = nullptr;
  ACL_OK(aclrtGetCurrentContext(&primary));
  aclrtEvent event = nullptr;
  void* memory = nullptr;
  void* pinned = nullptr;
  ACL_OK(aclrtCreateEvent(&event));
  ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMallocHost(&pinned, 64));
  aclrtContext other = nullptr;
  ACL_OK(aclrtCreateContext(&other, 0));
  aclrtStreamStatus status;
  int32_t id;
  constexpr int kCode = ACL_ERROR_RT_STREAM_CONTEXT;
  ACL_CODE(kCode, aclrtSynchronizeStream(foreign));
  ACL_CODE(kCode, aclrtSynchronizeStreamWithTimeout(foreign, 100));
  ACL_CODE(kCode, aclrtDestroyStream(foreign));
  ACL_CODE(kCode, aclrtStreamQuery(foreign, &status));
  ACL_CODE(kCode, aclrtStreamGetId(foreign, &id));
  ACL_CODE(kCode, aclrtRecordEvent(event, foreign));
  ACL_CODE(kCode, aclrtStreamWaitEvent(foreign, event));
  ACL_CODE(kCode, aclrtMemcpyAsync(memory, 64, pinned, 64, ACL_MEMCPY_DEFAULT, foreign));
  ACL_CODE(kCode, aclrtMemsetAsync(memory, 64, 0, 64, foreign));
  ACL_CODE(kCode, aclrtLaunchHostFunc(
                      foreign, [](void*) {}, nullptr));
  Gate gate;
  ACL_CODE(kCode, gate.close(foreign));
  ACL_OK(aclrtSetCurrentContext(primary));
  ACL_OK(aclrtSynchronizeStream(foreign));
  ACL_OK(aclrtDestroyStream(foreign));
  ACL_OK(aclrtFreeHost(pinned));
}

TEST_F(Context, TheDefaultStreamIsAStreamLikeAnyOtherButCannotBeDestroyed) {
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCtxGetCurrentDefaultStream(&stream));
  ASSERT_NE(stream, nullptr);
  std::atomic<int> ran{0};
  const auto add = [](void* p) { static_cast<std::atomic<int>*>(p)->fetch_add(1); };
  ACL_OK(aclrtLaunchHostFunc(stream, add, &ran));
  ACL_OK(aclrtLaunchHostFunc(nullptr, add, &ran));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(ran.load(), 2);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDestroyStream(stream));
  ACL_OK(aclrtSynchronizeStream(stream));
}

TEST_F(Context, AnotherThreadMayUseIt) {
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 1));
  std::thread([&] {
    ACL_OK(aclrtSetCurrentContext(context));
    int32_t device = -1;
    ACL_OK(aclrtGetDevice(&device));
    EXPECT_EQ(device, 1);
    ACL_OK(aclrtSynchronizeDevice());
  }).join();
}

TEST_F(Context, StateOfThePrimaryIsKnownWithoutMakingIt) {
  int32_t active = -1;
  ACL_OK(aclrtGetPrimaryCtxState(1, nullptr, &active));
  EXPECT_EQ(active, 0);
  ACL_OK(aclrtGetPrimaryCtxState(1, nullptr, &active));
  EXPECT_EQ(active, 0) << "asking must not make it";
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtGetPrimaryCtxState(1, nullptr, &active));
  EXPECT_EQ(active, 1);
  ACL_OK(aclrtResetDevice(1));
  ACL_OK(aclrtGetPrimaryCtxState(1, nullptr, &active));
  EXPECT_EQ(active, 0);
  uint32_t flags = 0;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetPrimaryCtxState(0, &flags, &active));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetPrimaryCtxState(0, nullptr, nullptr));
}

TEST_F(Context, ParameterThatWasNeverSetIs107021) {
  int64_t value = 7;
  ACL_CODE(ACL_ERROR_RT_SYSPARAMOPT_NOT_SET, aclrtCtxGetSysParamOpt(ACL_OPT_DETERMINISTIC, &value));
  EXPECT_EQ(value, 7);
  ACL_OK(aclrtSetSysParamOpt(ACL_OPT_DETERMINISTIC, 1));  // the process's is another one
  ACL_CODE(ACL_ERROR_RT_SYSPARAMOPT_NOT_SET, aclrtCtxGetSysParamOpt(ACL_OPT_DETERMINISTIC, &value));
  ACL_OK(aclrtSetSysParamOpt(ACL_OPT_DETERMINISTIC, 0));
}

TEST_F(Context, ParametersBelongToTheirContext) {
  int64_t value = 0;
  ACL_OK(aclrtCtxSetSysParamOpt(ACL_OPT_STRONG_CONSISTENCY, 5));
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  ACL_CODE(ACL_ERROR_RT_SYSPARAMOPT_NOT_SET,
           aclrtCtxGetSysParamOpt(ACL_OPT_STRONG_CONSISTENCY, &value));
  ACL_OK(aclrtDestroyContext(context));
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtCtxGetSysParamOpt(ACL_OPT_STRONG_CONSISTENCY, &value));
  EXPECT_EQ(value, 5);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCtxSetSysParamOpt(static_cast<aclSysParamOpt>(4), 1));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtCtxGetSysParamOpt(static_cast<aclSysParamOpt>(-1), &value));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtCtxGetSysParamOpt(ACL_OPT_DETERMINISTIC, nullptr));
}

// ---- On a device that nobody has set.

class ContextAlone : public AclTest {
 protected:
  void SetUp() override { ACL_OK(aclInit(nullptr)); }
  static int32_t primary_is_active() {
    int32_t active = -1;
    EXPECT_EQ(aclrtGetPrimaryCtxState(0, nullptr, &active), ACL_SUCCESS) << why();
    return active;
  }
};

TEST_F(ContextAlone, ItsDefaultStreamTakesWorkByHandleAndByNull) {
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCtxGetCurrentDefaultStream(&stream));
  EXPECT_NE(stream, nullptr);
  void* memory = zeroed_memory(128);
  Gate gate;
  ACL_OK(gate.close(nullptr));
  ACL_OK(aclrtMemsetAsync(memory, 64, 5, 64, stream));
  gate.open();
  ACL_OK(aclrtSynchronizeStream(nullptr));
  uint8_t got = 0;
  ACL_OK(aclrtMemcpy(&got, 1, memory, 1, ACL_MEMCPY_DEVICE_TO_HOST));
  EXPECT_EQ(got, 5);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDestroyStream(stream));
  ACL_OK(aclrtDestroyContext(context));
  ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtSynchronizeStream(nullptr));
}

std::atomic<int> g_made{0};
std::atomic<int> g_gone{0};

TEST_F(ContextAlone, BringsADefaultStreamOfTheDeviceAlongThatGoesWithTheLastContext) {
  g_made = 0;
  g_gone = 0;
  ACL_OK(aclrtRegStreamStateCallback(
      "alone",
      [](aclrtStream, aclrtStreamState state, void*) {
        ++(state == ACL_RT_STREAM_STATE_CREATE_POST ? g_made : g_gone);
      },
      nullptr));
  for (int round = 1; round <= 3; ++round) {
    aclrtContext first = nullptr;
    aclrtContext second = nullptr;
    ACL_OK(aclrtCreateContext(&first, 0));
    EXPECT_EQ(g_made - g_gone, 2);
    ACL_OK(aclrtCreateContext(&second, 0));
    EXPECT_EQ(g_made - g_gone, 3);
    EXPECT_EQ(primary_is_active(), 0);
    ACL_OK(aclrtDestroyContext(first));
    EXPECT_EQ(g_made - g_gone, 2);
    ACL_OK(aclrtDestroyContext(second));
    EXPECT_EQ(g_gone.load(), 3 * round);
    EXPECT_EQ(g_made.load(), 3 * round);
  }
  ACL_OK(aclrtRegStreamStateCallback("alone", nullptr, nullptr));
}

TEST_F(ContextAlone, WhoSetsTheDeviceAfterwardsGetsThatStreamAndKeepsIt) {
  aclrtContext context = nullptr;
  ACL_OK(aclrtCreateContext(&context, 0));
  aclrtStream of_context = nullptr;
  ACL_OK(aclrtCtxGetCurrentDefaultStream(&of_context));
  ACL_OK(aclrtSetDevice(0));
  EXPECT_EQ(primary_is_active(), 1);
  aclrtStream of_device = nullptr;
  ACL_OK(aclrtCtxGetCurrentDefaultStream(&of_device));
  EXPECT_NE(of_device, of_context);
  ACL_OK(aclrtDestroyContext(context));
  ACL_OK(aclrtSynchronizeStream(of_device));
  ACL_OK(aclrtResetDevice(0));
  EXPECT_EQ(primary_is_active(), 0);
  ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDevice(0));
}

}  // namespace
}  // namespace canopy::test
