// Callbacks: what host functions do not have.
#include "tests/unit/api/report_threads.h"

#include <pthread.h>

#include <atomic>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class Callback : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
  }
  aclrtStream stream_ = nullptr;
};

TEST_F(Callback, WithoutBlockingDoesNotHoldTheStream) {
  ACL_OK(aclrtSubscribeReport(self(), stream_));
  std::vector<int> log;
  std::atomic<bool> ran{false};
  ACL_OK(aclrtLaunchCallback(set_flag, &ran, ACL_CALLBACK_NO_BLOCK, stream_));
  ACL_OK(append(stream_, &log, 1));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(log.size(), 1u);
  EXPECT_FALSE(ran.load());
  ACL_OK(aclrtProcessReport(1000));
  EXPECT_TRUE(ran.load());
}

TEST_F(Callback, WithoutBlockingStillRunsAfterItsStreamIsGone) {
  ACL_OK(aclrtSubscribeReport(self(), stream_));
  std::atomic<bool> ran{false};
  ACL_OK(aclrtLaunchCallback(set_flag, &ran, ACL_CALLBACK_NO_BLOCK, stream_));
  ACL_OK(aclrtDestroyStream(stream_));
  ACL_OK(aclrtProcessReport(1000));
  EXPECT_TRUE(ran.load());
  ACL_CODE(ACL_ERROR_RT_THREAD_SUBSCRIBE, aclrtProcessReport(1000));
}

TEST_F(Callback, OnAStreamThatNobodySubscribedIs107015) {
  std::atomic<bool> ran{false};
  for (const auto type : {ACL_CALLBACK_NO_BLOCK, ACL_CALLBACK_BLOCK}) {
    ACL_CODE(ACL_ERROR_RT_STREAM_NO_CB_REG, aclrtLaunchCallback(set_flag, &ran, type, stream_));
  }
  ACL_OK(aclrtSubscribeReport(self(), stream_));
  ACL_OK(aclrtUnSubscribeReport(self(), stream_));
  ACL_CODE(ACL_ERROR_RT_STREAM_NO_CB_REG,
           aclrtLaunchCallback(set_flag, &ran, ACL_CALLBACK_BLOCK, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_FALSE(ran.load());
}

// Launched, and not yet taken by the thread.
TEST_F(Callback, PendingOnesGoWithAnAbort) {
  for (aclrtCallbackBlockType type : {ACL_CALLBACK_BLOCK, ACL_CALLBACK_NO_BLOCK}) {
    ACL_OK(aclrtSubscribeReport(self(), stream_));
    std::atomic<bool> ran{false};
    ACL_OK(aclrtLaunchCallback(set_flag, &ran, type, stream_));
    EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 20),
              type == ACL_CALLBACK_BLOCK ? ACL_ERROR_RT_STREAM_SYNC_TIMEOUT : ACL_SUCCESS);
    ACL_OK(aclrtStreamAbort(stream_));
    EXPECT_EQ(aclrtProcessReport(20), ACL_ERROR_RT_WAIT_TIMEOUT) << why();
    ACL_OK(aclrtUnSubscribeReport(self(), stream_));
    EXPECT_FALSE(ran.load());
    std::vector<int> log;
    ACL_OK(append(stream_, &log, 1));
    ACL_OK(aclrtSynchronizeStream(stream_));
    EXPECT_EQ(log.size(), 1u);
  }
}

// No task of the stream waits for it.
TEST_F(Callback, ThatNobodyWaitsForFailsItsIdleStreamWhenTheSubscriptionGoes) {
  ACL_OK(aclrtSubscribeReport(self(), stream_));
  std::atomic<bool> ran{false};
  ACL_OK(aclrtLaunchCallback(set_flag, &ran, ACL_CALLBACK_NO_BLOCK, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtUnSubscribeReport(self(), stream_));
  ACL_CODE(ACL_ERROR_RT_STREAM_NO_CB_REG, aclrtSynchronizeStream(stream_));
  EXPECT_FALSE(ran.load());
}

// The thread of the program ends inside of it; the stream hears of that, and goes on.
TEST_F(Callback, ThatEndsItsThreadFailsItsStream) {
  std::thread server([&] {
    EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtSubscribeReport(self(), stream_), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtLaunchCallback([](void*) { ::pthread_exit(nullptr); }, nullptr, ACL_CALLBACK_BLOCK, stream_), ACL_SUCCESS);
    aclrtProcessReport(20'000);
    ADD_FAILURE() << "the thread goes on";
  });
  server.join();
  ACL_CODE(ACL_ERROR_RT_STREAM_NO_CB_REG, aclrtSynchronizeStreamWithTimeout(stream_, 20'000));
  std::vector<int> log;
  ACL_OK(append(stream_, &log, 1));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(log.size(), 1u);
  ACL_OK(aclrtDestroyStream(stream_));
}

TEST_F(Callback, RefusesWrongArguments) {
  ACL_CODE(ACL_ERROR_INVALID_PARAM,
           aclrtLaunchCallback(nullptr, nullptr, ACL_CALLBACK_BLOCK, stream_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtLaunchCallback(set_flag, nullptr, static_cast<aclrtCallbackBlockType>(2), stream_));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE,
           aclrtLaunchCallback(set_flag, nullptr, ACL_CALLBACK_BLOCK, kInvented));
}

TEST_F(Callback, MayLaunchMore) {
  Server server(kSchemes[0]);
  ACL_OK(aclrtSubscribeReport(server.id(), stream_));
  struct State {
    aclrtStream stream;
    std::atomic<bool> ran{false};
    aclError code = 1;
  } state;
  state.stream = stream_;
  ACL_OK(aclrtLaunchCallback(
      [](void* p) {
        auto& s = *static_cast<State*>(p);
        EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
        s.code = aclrtLaunchCallback(set_flag, &s.ran, ACL_CALLBACK_BLOCK, s.stream);
      },
      &state, ACL_CALLBACK_BLOCK, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(state.code, ACL_SUCCESS);
  EXPECT_TRUE(state.ran.load());
}

TEST_F(Callback, OfManyThreadsOnOneStreamEachHoldItOnce) {
  Server server(kSchemes[0]);
  ACL_OK(aclrtSubscribeReport(server.id(), stream_));
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
      for (int i = 0; i < 200; ++i) {
        const auto type = i % 3 == 0 ? ACL_CALLBACK_NO_BLOCK : ACL_CALLBACK_BLOCK;
        ASSERT_EQ(
            aclrtLaunchCallback([](void* p) { static_cast<std::atomic<int>*>(p)->fetch_add(1); },
                                &ran, type, stream_),
            ACL_SUCCESS);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  ACL_OK(aclrtSynchronizeStream(stream_));
  while (ran.load() != 800) {
    std::this_thread::yield();
  }
}

TEST_F(Callback, FinalizeLetsThreadsGo) {
  std::atomic<bool> subscribed{false};
  aclError code = ACL_SUCCESS;
  std::thread thread([&] {
    while (!subscribed.load()) {
      std::this_thread::yield();
    }
    code = aclrtProcessReport(-1);
  });
  ACL_OK(aclrtSubscribeReport(thread.native_handle(), stream_));
  subscribed.store(true);
  ACL_OK(aclFinalize());
  thread.join();
  EXPECT_EQ(code, ACL_ERROR_RT_THREAD_SUBSCRIBE);
  ACL_OK(aclInit(nullptr));
}

}  // namespace
}  // namespace canopy::test
