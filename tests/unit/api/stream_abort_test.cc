// Ending tasks before their time: abort, stop, forced destruction. (semantics: "Streams", "Errors,
// exceptions, abort")
#include "tests/unit/api/gate.h"

#include <atomic>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class StreamAbort : public AclTest {
 protected:
  void expect_usable(aclrtStream stream) {
    std::atomic<int> ran{0};
    ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
    ACL_OK(aclrtSynchronizeStream(stream));
    EXPECT_EQ(ran.load(), 1);
  }
  // Behind what the stream waits for lies a task that must not run.
  void expect_abort_ends_it(aclrtStream stream) {
    ACL_OK(aclrtLaunchHostFunc(stream, &add, &dropped_));
    ACL_OK(aclrtStreamAbort(stream));
    aclrtStreamStatus status;
    ACL_OK(aclrtStreamQuery(stream, &status));
    EXPECT_EQ(status, ACL_STREAM_STATUS_COMPLETE);
    EXPECT_EQ(dropped_.load(), 0);
    expect_usable(stream);
  }

  std::atomic<int> dropped_{0};
};

TEST_F(StreamAbort, EndsAKernelThatWaitsAndDropsTheRest) {
  aclrtStream stream = make_stream();
  Gate gate;
  ACL_OK(gate.close(stream));
  expect_abort_ends_it(stream);
}

TEST_F(StreamAbort, TakesTheStreamOffAWaitForAnEvent) {
  for (int32_t limit : {0, 900}) {
    aclrtStream stream = make_stream();
    aclrtEvent event = nullptr;
    ACL_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_EXTERNAL));
    ACL_OK(aclrtStreamWaitEventWithTimeout(stream, event, limit));
    expect_abort_ends_it(stream);
    ACL_OK(aclrtRecordEvent(event, stream));
    ACL_OK(aclrtSynchronizeStream(stream));
    ACL_OK(aclrtDestroyEvent(event));
  }
}

TEST_F(StreamAbort, TakesTheStreamOffAWaitForANotify) {
  aclrtStream stream = make_stream();
  aclrtNotify notify = nullptr;
  ACL_OK(aclrtCreateNotify(&notify, 0));
  for (uint32_t limit : {0u, 900u}) {
    ACL_OK(aclrtWaitAndResetNotify(notify, stream, limit));
    expect_abort_ends_it(stream);
  }
  // The record is there for the next wait: the one that is gone did not take it.
  ACL_OK(aclrtRecordNotify(notify, stream));
  ACL_OK(aclrtWaitAndResetNotify(notify, stream, 0));
  ACL_OK(aclrtSynchronizeStream(stream));
  ACL_OK(aclrtDestroyNotify(notify));
}

TEST_F(StreamAbort, TakesTheStreamOffAWaitForACountingNotify) {
  aclrtStream stream = make_stream();
  aclrtCntNotify counter = nullptr;
  ACL_OK(aclrtCntNotifyCreate(&counter, 0));
  aclrtCntNotifyWaitInfo want{ACL_RT_CNT_NOTIFY_WAIT_BIGGER_MODE, 7, 0, 0, {}};
  ACL_OK(aclrtCntNotifyWaitWithTimeout(counter, stream, &want));
  expect_abort_ends_it(stream);
  ACL_OK(aclrtCntNotifyDestroy(counter));
}

TEST_F(StreamAbort, EndsAWaitForAValue) {
  aclrtStream stream = make_stream();
  void* word = nullptr;
  ACL_OK(aclrtMalloc(&word, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMemset(word, 64, 0, 64));
  ACL_OK(aclrtValueWait(word, 1, ACL_STREAM_WAIT_VALUE_EQ, stream));
  expect_abort_ends_it(stream);
  ACL_OK(aclrtFree(word));
}

TEST_F(StreamAbort, OfAnIdleStreamAndOfTheDefaultStreamIsFine) {
  ACL_OK(aclrtStreamAbort(make_stream()));
  Gate gate;
  ACL_OK(gate.close(nullptr));
  expect_abort_ends_it(nullptr);
}

TEST_F(StreamAbort, WhoWaitsForTheStreamGets107023) {
  aclrtStream stream = make_stream();
  Gate gate;
  ACL_OK(gate.close(stream));
  aclrtContext context = nullptr;
  ACL_OK(aclrtGetCurrentContext(&context));
  std::atomic<int> waiting{0};
  std::vector<std::jthread> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back([&, i] {
      ASSERT_EQ(aclrtSetCurrentContext(context), ACL_SUCCESS);
      waiting.fetch_add(1);
      // Who comes later than the abort finds nothing to wait for.
      const aclError code = i == 0 ? aclrtSynchronizeDevice() : aclrtSynchronizeStream(stream);
      EXPECT_EQ(code, ACL_ERROR_RT_STREAM_ABORT) << why();
    });
  }
  while (waiting.load() != 3) {
    std::this_thread::yield();
  }
  // The waiters are about to wait, which nobody can see from outside: the time limit of another
  // wait stands for it.
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 50));
  ACL_OK(aclrtStreamAbort(stream));
  waiters.clear();
  expect_usable(stream);
}

TEST_F(StreamAbort, WhoWaitsForAnEventWhoseRecordIsDroppedGets107023AndStreamsStay) {
  aclrtStream stream = make_stream();
  aclrtStream other = make_stream();
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  Gate gate;
  ACL_OK(gate.close(stream));
  ACL_OK(aclrtRecordEvent(event, stream));
  ACL_OK(aclrtStreamWaitEvent(other, event));
  ACL_OK(aclrtStreamAbort(stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_ABORT, aclrtSynchronizeEvent(event));
  aclrtEventRecordedStatus recorded;
  ACL_OK(aclrtQueryEventStatus(event, &recorded));
  EXPECT_EQ(recorded, ACL_EVENT_RECORDED_STATUS_NOT_READY);
  aclrtStreamStatus status;
  ACL_OK(aclrtStreamQuery(other, &status));
  EXPECT_EQ(status, ACL_STREAM_STATUS_NOT_READY) << "it waits until it is aborted, too";
  ACL_OK(aclrtStreamAbort(other));
  ACL_OK(aclrtRecordEvent(event, stream));
  ACL_OK(aclrtStreamWaitEvent(other, event));
  ACL_OK(aclrtSynchronizeStream(other));
  ACL_OK(aclrtSynchronizeEvent(event));
}

TEST_F(StreamAbort, AStreamThatIsDestroyedDoesNotWaitForADroppedRecord) {
  for (int32_t limit : {0, 900}) {
    for (const bool dropped_before : {true, false}) {
      std::atomic<int> ran{0};
      aclrtStream stream = make_stream();
      aclrtStream other = make_stream();
      aclrtEvent event = nullptr;
      ACL_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
      Gate gate;
      ACL_OK(gate.close(stream));
      ACL_OK(aclrtRecordEvent(event, stream));
      ACL_OK(aclrtStreamWaitEventWithTimeout(other, event, limit));
      ACL_OK(aclrtLaunchHostFunc(other, &add, &ran));
      if (dropped_before) {
        ACL_OK(aclrtStreamAbort(stream));
        ACL_OK(aclrtDestroyStream(other));
        EXPECT_EQ(ran.load(), 1) << "it goes on behind that wait";
      } else {
        aclrtContext context = nullptr;
        ACL_OK(aclrtGetCurrentContext(&context));
        std::jthread destroyer([&] {
          ASSERT_EQ(aclrtSetCurrentContext(context), ACL_SUCCESS);
          ASSERT_EQ(aclrtDestroyStream(other), ACL_SUCCESS);
        });
        ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 20));
        ACL_OK(aclrtStreamAbort(stream));
        destroyer.join();
        EXPECT_EQ(ran.load(), 1);
      }
      ACL_OK(aclrtDestroyEvent(event));
    }
  }
}

TEST_F(StreamAbort, LeavesOtherStreamsAlone) {
  aclrtStream stream = make_stream();
  aclrtStream other = make_stream();
  std::atomic<int> ran{0};
  Gate gate;
  Gate other_gate;
  ACL_OK(gate.close(stream));
  ACL_OK(other_gate.close(other));
  ACL_OK(aclrtLaunchHostFunc(other, &add, &ran));
  expect_abort_ends_it(stream);
  EXPECT_EQ(ran.load(), 0);
  other_gate.open();
  ACL_OK(aclrtSynchronizeStream(other));
  EXPECT_EQ(ran.load(), 1);
}

TEST_F(StreamAbort, TasksThatAreSubmittedMeanwhileAreVoid) {
  aclrtStream stream = make_stream();
  std::atomic<bool> done{false};
  std::atomic<int> ran{0};
  aclrtContext context = nullptr;
  ACL_OK(aclrtGetCurrentContext(&context));
  std::jthread submitter([&] {
    ASSERT_EQ(aclrtSetCurrentContext(context), ACL_SUCCESS);
    while (!done.load()) {
      ASSERT_EQ(aclrtLaunchHostFunc(stream, &add, &ran), ACL_SUCCESS);
    }
  });
  for (int i = 0; i < 200; ++i) {
    ACL_OK(aclrtStreamAbort(stream));
  }
  done.store(true);
  submitter.join();
  ACL_OK(aclrtSynchronizeStream(stream));
  expect_usable(stream);
}

TEST_F(StreamAbort, StopEndsTheRunningTaskAndKeepsTheQueue) {
  aclrtStream stream = make_stream();
  std::atomic<int> ran{0};
  Gate gate;
  ACL_OK(gate.close(stream));
  ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
  ACL_OK(gate.close(stream));
  ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
  ACL_OK(aclrtStreamStop(stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 20));
  EXPECT_EQ(ran.load(), 1);
  ACL_OK(aclrtStreamStop(stream));
  ACL_OK(aclrtSynchronizeStream(stream));
  EXPECT_EQ(ran.load(), 2);
  ACL_OK(aclrtStreamStop(stream)) << "nothing runs";
}

TEST_F(StreamAbort, StopRefusesDefaultAndPersistentStreams) {
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamStop(nullptr));
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStreamWithConfig(&stream, 0, ACL_STREAM_PERSISTENT));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamStop(stream));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamAbort(stream));
}

TEST_F(StreamAbort, ForcedDestructionDoesNotWaitForQueuedWork) {
  aclrtStream stream = make_stream();
  Gate gate;
  ACL_OK(gate.close(stream));
  ACL_OK(aclrtLaunchHostFunc(stream, &add, &dropped_));
  ACL_OK(aclrtDestroyStreamForce(stream));
  EXPECT_EQ(dropped_.load(), 0);
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtSynchronizeStream(stream));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyStreamForce(stream));
  aclrtStream default_stream = nullptr;
  ACL_OK(aclrtCtxGetCurrentDefaultStream(&default_stream));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDestroyStreamForce(default_stream));
}

TEST_F(StreamAbort, ManyStreamsThatWaitForEachOtherCanAllBeAborted) {
  constexpr int kStreams = 64;
  std::vector<aclrtStream> streams;
  std::vector<aclrtEvent> events(kStreams);
  for (int i = 0; i < kStreams; ++i) {
    streams.push_back(make_stream());
    ACL_OK(aclrtCreateEventWithFlag(&events[i], ACL_EVENT_EXTERNAL));
  }
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < kStreams; ++i) {
      ACL_OK(aclrtStreamWaitEvent(streams[i], events[(i + 1) % kStreams]));
      ACL_OK(aclrtLaunchHostFunc(streams[i], &add, &dropped_));
    }
    for (aclrtStream stream : streams) {
      ACL_OK(aclrtStreamAbort(stream));
    }
  }
  EXPECT_EQ(dropped_.load(), 0);
}

}  // namespace
}  // namespace canopy::test
