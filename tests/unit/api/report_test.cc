// Callbacks that a thread of the user runs, and host functions that one does.
#include "tests/unit/api/report_threads.h"

#include <pthread.h>

#include <atomic>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class Report : public AclTest, public testing::WithParamInterface<Scheme> {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
  }
  const Scheme& scheme() { return GetParam(); }
  aclrtStream stream_ = nullptr;
};

TEST_P(Report, RunsInStreamOrderOnTheSubscribedThread) {
  struct Step {
    std::vector<int>* log;
    std::thread::id* thread;
    int value;
  };
  Server server(scheme());
  ACL_OK(scheme().subscribe(server.id(), stream_));
  std::vector<int> log;
  std::thread::id thread;
  std::vector<Step> steps(300);
  for (int i = 0; i < 300; ++i) {
    ACL_OK(append(stream_, &log, 2 * i));
    steps[i] = {&log, &thread, 2 * i + 1};
    ACL_OK(scheme().launch(
        stream_,
        [](void* p) {
          auto& step = *static_cast<Step*>(p);
          step.log->push_back(step.value);
          *step.thread = std::this_thread::get_id();
        },
        &steps[i]));
  }
  ACL_OK(aclrtSynchronizeStream(stream_));
  ASSERT_EQ(log.size(), 600u);
  for (int i = 0; i < 600; ++i) {
    ASSERT_EQ(log[i], i);
  }
  EXPECT_NE(thread, std::this_thread::get_id());
  ACL_OK(scheme().unsubscribe(server.id(), stream_));
}

TEST_P(Report, OneThreadServesManyStreamsOfADevice) {
  Server server(scheme());
  std::vector<aclrtStream> streams(20);
  std::atomic<int> ran{0};
  for (aclrtStream& stream : streams) {
    ACL_OK(aclrtCreateStream(&stream));
    ACL_OK(scheme().subscribe(server.id(), stream));
  }
  for (int i = 0; i < 50; ++i) {
    for (aclrtStream stream : streams) {
      ACL_OK(scheme().launch(
          stream, [](void* p) { static_cast<std::atomic<int>*>(p)->fetch_add(1); }, &ran));
    }
  }
  ACL_OK(aclrtSynchronizeDevice());
  EXPECT_EQ(ran.load(), 1000);
}

TEST_P(Report, AThreadOfAnotherDeviceIs107012) {
  ACL_OK(scheme().subscribe(self(), stream_));
  ACL_OK(aclrtSetDevice(1));
  aclrtStream other = nullptr;
  ACL_OK(aclrtCreateStream(&other));
  ACL_CODE(ACL_ERROR_RT_THREAD_SUBSCRIBE, scheme().subscribe(self(), other));
}

TEST_P(Report, ASecondSubscriptionOfAStreamIs107011) {
  ACL_OK(scheme().subscribe(self(), stream_));
  ACL_CODE(ACL_ERROR_RT_STREAM_SUBSCRIBE, scheme().subscribe(self(), stream_));
  ACL_CODE(ACL_ERROR_RT_STREAM_SUBSCRIBE, scheme().subscribe(77, stream_));
  ACL_OK(scheme().unsubscribe(self(), stream_));
  ACL_OK(scheme().subscribe(77, stream_));
}

TEST_P(Report, TheOtherSchemeOnTheSameStreamIs107011) {
  ACL_OK(scheme().subscribe(self(), stream_));
  for (const Scheme& other : kSchemes) {
    ACL_CODE(ACL_ERROR_RT_STREAM_SUBSCRIBE, other.subscribe(self(), stream_));
  }
}

TEST_P(Report, UnsubscribingWhatIsNotSubscribedIs107011AndForAnotherThread107012) {
  ACL_CODE(ACL_ERROR_RT_STREAM_SUBSCRIBE, scheme().unsubscribe(self(), stream_));
  ACL_OK(scheme().subscribe(self(), stream_));
  ACL_CODE(ACL_ERROR_RT_THREAD_SUBSCRIBE, scheme().unsubscribe(77, stream_));
  ACL_OK(scheme().unsubscribe(self(), stream_));
  ACL_CODE(ACL_ERROR_RT_STREAM_SUBSCRIBE, scheme().unsubscribe(self(), stream_));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, scheme().subscribe(self(), kInvented));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, scheme().unsubscribe(self(), kInvented));
}

TEST_P(Report, OfThreadZeroIs107000) {
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, scheme().subscribe(0, stream_));
  EXPECT_STREQ(why(), "0 is no thread: what pthread_self() returns in the one that serves the stream is wanted");
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, scheme().unsubscribe(0, stream_));
  ACL_OK(scheme().subscribe(self(), stream_));
}

TEST_P(Report, ProcessingInAThreadThatServesNobodyIs107012) {
  ACL_CODE(ACL_ERROR_RT_THREAD_SUBSCRIBE, scheme().process(1000));
  ACL_OK(scheme().subscribe(77, stream_));
  ACL_CODE(ACL_ERROR_RT_THREAD_SUBSCRIBE, scheme().process(-1)) << "another thread does";
}

TEST_P(Report, ProcessingWithNothingToDoIs107019AtTheTimeout) {
  ACL_OK(scheme().subscribe(self(), stream_));
  ACL_CODE(ACL_ERROR_RT_WAIT_TIMEOUT, scheme().process(5));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, scheme().process(0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, scheme().process(-2));
}

TEST_P(Report, ProcessingRunsAllThatIsDue) {
  ACL_OK(scheme().subscribe(self(), stream_));
  std::atomic<bool> ran{false};
  ACL_OK(scheme().launch(stream_, set_flag, &ran));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  EXPECT_FALSE(ran.load());
  ACL_OK(scheme().process(-1));
  EXPECT_TRUE(ran.load());
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_P(Report, TakingTheSubscriptionAwayWakesTheThread) {
  std::atomic<bool> waits{false};
  aclError code = ACL_SUCCESS;
  std::thread thread([&] {
    while (!waits.load()) {
      std::this_thread::yield();
    }
    code = scheme().process(-1);
  });
  const uint64_t id = thread.native_handle();
  ACL_OK(scheme().subscribe(id, stream_));
  waits.store(true);
  std::this_thread::yield();
  ACL_OK(scheme().unsubscribe(id, stream_));
  thread.join();
  EXPECT_EQ(code, ACL_ERROR_RT_THREAD_SUBSCRIBE);
}

TEST_P(Report, WhatIsPendingWhenTheSubscriptionGoesFailsWith107015) {
  ACL_OK(scheme().subscribe(self(), stream_));
  std::atomic<bool> ran{false};
  std::vector<int> log;
  ACL_OK(scheme().launch(stream_, set_flag, &ran));
  ACL_OK(append(stream_, &log, 1));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  ACL_OK(scheme().unsubscribe(self(), stream_));
  ACL_CODE(ACL_ERROR_RT_STREAM_NO_CB_REG, aclrtSynchronizeStream(stream_));
  EXPECT_FALSE(ran.load());
  EXPECT_EQ(log.size(), 1u) << "the stream goes on";
}

TEST_P(Report, WhatTheStreamReachesWithoutASubscriptionFailsWith107015) {
  ACL_OK(scheme().subscribe(self(), stream_));
  Gate gate;
  ACL_OK(gate.close(stream_));
  std::atomic<bool> ran{false};
  ACL_OK(scheme().launch(stream_, set_flag, &ran));
  ACL_OK(scheme().unsubscribe(self(), stream_));
  gate.open();
  ACL_CODE(ACL_ERROR_RT_STREAM_NO_CB_REG, aclrtSynchronizeStream(stream_));
  EXPECT_FALSE(ran.load());
}

TEST_P(Report, SynchronisingInsideIsRefusedAndNotDeadlocked) {
  struct Attempt {
    aclrtStream stream;
    aclrtEvent event;
    std::vector<aclError> codes;
  } attempt;
  attempt.stream = stream_;
  ACL_OK(aclrtCreateEventExWithFlag(&attempt.event, ACL_EVENT_SYNC));
  ACL_OK(aclrtRecordEvent(attempt.event, stream_));
  Server server(scheme());
  ACL_OK(scheme().subscribe(server.id(), stream_));
  ACL_OK(scheme().launch(
      stream_,
      [](void* p) {
        auto& a = *static_cast<Attempt*>(p);
        EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
        a.codes = {aclrtSynchronizeStream(a.stream),
                   aclrtSynchronizeDevice(),
                   aclrtSynchronizeEvent(a.event),
                   aclrtDestroyStream(a.stream),
                   aclrtResetDevice(0),
                   aclFinalize(),
                   aclrtProcessReport(1),
                   aclrtProcessHostFunc(1)};
      },
      &attempt));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(attempt.codes, std::vector<aclError>(8, ACL_ERROR_RT_FEATURE_NOT_SUPPORT));
}

TEST_P(Report, AnAbortOfTheStreamLeavesTheNextOnesInOrder) {
  ACL_OK(scheme().subscribe(self(), stream_));
  std::atomic<bool> first{false};
  std::atomic<bool> second{false};
  ACL_OK(scheme().launch(stream_, set_flag, &first));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  ACL_OK(aclrtStreamAbort(stream_));
  ACL_OK(scheme().launch(stream_, set_flag, &second));
  while (!second.load()) {
    const aclError code = scheme().process(1000);
    ASSERT_TRUE(code == ACL_SUCCESS) << why();
  }
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_P(Report, DestroyedStreamsLeaveTheirThread) {
  Server server(scheme());
  for (int i = 0; i < 50; ++i) {
    aclrtStream stream = nullptr;
    std::atomic<bool> ran{false};
    ACL_OK(aclrtCreateStream(&stream));
    ACL_OK(scheme().subscribe(server.id(), stream));
    ACL_OK(scheme().launch(stream, set_flag, &ran));
    ACL_OK(aclrtDestroyStream(stream));
    EXPECT_TRUE(ran.load());
  }
}

TEST_P(Report, MoreThan1024ThreadsAre207005) {
  std::vector<aclrtStream> streams(1025);
  for (size_t i = 0; i < streams.size(); ++i) {
    ACL_OK(aclrtCreateStream(&streams[i]));
    ACL_CODE(i < 1024 ? ACL_SUCCESS : ACL_ERROR_RT_RESOURCE_ALLOC_FAIL,
             scheme().subscribe(1000 + i, streams[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(Schemes, Report, testing::ValuesIn(kSchemes),
                         [](const auto& scheme) { return std::string(scheme.param.name); });

}  // namespace
}  // namespace canopy::test
