// Rows of the semantics page on streams, contexts and threads that have no file of their own; each
// test is named after its row.
#include "tests/unit/api/gate.h"

#include <atomic>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class StreamRows : public AclTest {
 protected:
  // Every function that takes a stream and is not about tasks.
  void expect_code(aclError code, aclrtStream stream) {
    aclrtStreamAttrValue value = {};
    uint32_t number = 0;
    ACL_CODE(code, aclrtDestroyStreamForce(stream));
    ACL_CODE(code, aclrtStreamAbort(stream));
    ACL_CODE(code, aclrtStreamStop(stream));
    ACL_CODE(code, aclrtPersistentTaskClean(stream));
    ACL_CODE(code, aclrtSetStreamFailureMode(stream, ACL_CONTINUE_ON_FAILURE));
    ACL_CODE(code, aclrtSetStreamAttribute(stream, ACL_STREAM_ATTR_USER_CUSTOM_TAG, &value));
    ACL_CODE(code, aclrtGetStreamAttribute(stream, ACL_STREAM_ATTR_USER_CUSTOM_TAG, &value));
    ACL_CODE(code, aclrtSetStreamOverflowSwitch(stream, 1));
    ACL_CODE(code, aclrtGetStreamOverflowSwitch(stream, &number));
    ACL_CODE(code, aclrtStreamGetPriority(stream, &number));
    ACL_CODE(code, aclrtStreamGetFlags(stream, &number));
  }
};

TEST_F(StreamRows, AStreamUnderAnotherCurrentContextIs107003) {
  aclrtStream stream = make_stream();
  aclrtContext own = nullptr;
  aclrtContext other = nullptr;
  ACL_OK(aclrtGetCurrentContext(&own));
  ACL_OK(aclrtCreateContext(&other, 0));
  expect_code(ACL_ERROR_RT_STREAM_CONTEXT, stream);
  ACL_OK(aclrtSetDevice(1));
  expect_code(ACL_ERROR_RT_STREAM_CONTEXT, stream);
  ACL_OK(aclrtSetCurrentContext(own));
  ACL_OK(aclrtDestroyStreamForce(stream));
}

TEST_F(StreamRows, AfterAFullResetTheHandlesAreDead) {
  aclrtStream stream = make_stream();
  ACL_OK(aclrtResetDevice(0));
  expect_code(ACL_ERROR_RT_INVALID_HANDLE, stream);  // of the context, which is dead as well
  ACL_OK(aclrtSetDevice(0));
  expect_code(ACL_ERROR_RT_INVALID_HANDLE, stream);
  expect_code(ACL_ERROR_RT_INVALID_HANDLE, kInvented);
}

TEST_F(StreamRows, NewThreadsStartWithNothingSet) {
  aclrtStreamAttrValue value = {};
  EXPECT_NE(aclrtGetStreamAttribute(kInvented, ACL_STREAM_ATTR_PRIORITY, &value), ACL_SUCCESS);
  std::jthread([] {
    int32_t device = -1;
    aclrtContext context = nullptr;
    aclrtStream stream = nullptr;
    uint32_t number = 0;
    EXPECT_EQ(aclrtPeekAtLastError(ACL_RT_THREAD_LEVEL), ACL_SUCCESS);
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetDevice(&device));
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetCurrentContext(&context));
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtCreateStream(&stream));
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetStreamAvailableNum(&number));
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtStreamAbort(nullptr));
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtSynchronizeDevice());
  }).join();
}

TEST_F(StreamRows, NullIsTheDefaultStreamOfTheCurrentContext) {
  aclrtContext contexts[2];
  ACL_OK(aclrtGetCurrentContext(&contexts[0]));
  ACL_OK(aclrtCreateContext(&contexts[1], 0));
  int32_t ids[2] = {-1, -1};
  for (int i = 0; i < 2; ++i) {
    ACL_OK(aclrtSetCurrentContext(contexts[i]));
    aclrtStream default_stream = nullptr;
    ACL_OK(aclrtCtxGetCurrentDefaultStream(&default_stream));
    Gate gate;
    ACL_OK(gate.close(nullptr));
    aclrtStreamStatus status;
    ACL_OK(aclrtStreamQuery(default_stream, &status));
    EXPECT_EQ(status, ACL_STREAM_STATUS_NOT_READY);
    ACL_OK(aclrtStreamAbort(default_stream));
    ACL_OK(aclrtStreamQuery(nullptr, &status));
    EXPECT_EQ(status, ACL_STREAM_STATUS_COMPLETE);
    ACL_OK(aclrtStreamGetId(nullptr, &ids[i]));
  }
  EXPECT_NE(ids[0], ids[1]);
}

TEST_F(StreamRows, StreamsOfTwoContextsKeepTheirSettingsApart) {
  aclrtContext own = nullptr;
  aclrtContext other = nullptr;
  ACL_OK(aclrtGetCurrentContext(&own));
  ACL_OK(aclrtSetStreamOverflowSwitch(nullptr, 1));
  ACL_OK(aclrtCreateContext(&other, 0));
  uint32_t flag = 99;
  ACL_OK(aclrtGetStreamOverflowSwitch(nullptr, &flag));
  EXPECT_EQ(flag, 0u);
  ACL_OK(aclrtSetCurrentContext(own));
  ACL_OK(aclrtGetStreamOverflowSwitch(nullptr, &flag));
  EXPECT_EQ(flag, 1u);
}

TEST_F(StreamRows, AnAbortInsideOfAHostFunctionIsDiagnosed) {
  struct Codes {
    aclrtStream stream;
    aclError codes[3];
  } inside{make_stream(), {}};
  ACL_OK(aclrtLaunchHostFunc(
      inside.stream,
      [](void* p) {
        auto& mine = *static_cast<Codes*>(p);
        mine.codes[0] = aclrtStreamAbort(mine.stream);
        mine.codes[1] = aclrtStreamStop(mine.stream);
        mine.codes[2] = aclrtDeviceTaskAbort(0, 0);
      },
      &inside));
  ACL_OK(aclrtSynchronizeStream(inside.stream));
  for (const aclError code : inside.codes) {
    EXPECT_EQ(code, ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  }
}

TEST_F(StreamRows, ForceAfterTheLastReferenceIsAnErrorInEveryThread) {
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtResetDeviceForce(0));
  ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDevice(0));
  std::jthread([] {
    ACL_CODE(ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, aclrtResetDeviceForce(0));
  }).join();
}

// Threads that come and go with devices of their own, all at once.
TEST_F(StreamRows, ThreadsMaySetUseAndResetDevicesSideBySide) {
  std::atomic<int> ran{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&ran, t] {
      for (int i = 0; i < 200; ++i) {
        const int device = (t + i) % 4;
        aclrtStream stream = nullptr;
        ASSERT_EQ(aclrtSetDevice(device), ACL_SUCCESS) << why();
        ASSERT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS) << why();
        ASSERT_EQ(aclrtLaunchHostFunc(stream, &add, &ran), ACL_SUCCESS) << why();
        ASSERT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS) << why();
        ASSERT_EQ(i % 2 == 0 ? aclrtDestroyStream(stream) : aclrtDestroyStreamForce(stream),
                  ACL_SUCCESS)
            << why();
        ASSERT_EQ(aclrtResetDevice(device), ACL_SUCCESS) << why();
      }
    });
  }
  threads.clear();
  EXPECT_EQ(ran.load(), 6 * 200);
}

}  // namespace
}  // namespace canopy::test
