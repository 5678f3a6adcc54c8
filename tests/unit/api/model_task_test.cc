// The kinds of tasks that models run: each does in every run what it does in a stream.
#include "tests/unit/api/models.h"

#include "canopy/kernel.h"

#include <pthread.h>

#include <array>
#include <cstring>

namespace canopy::test {
namespace {

class ModelTask : public ModelTest {
 protected:
  static aclrtEvent make_event(uint32_t flag = ACL_EVENT_SYNC) {
    aclrtEvent event = nullptr;
    EXPECT_EQ(aclrtCreateEventWithFlag(&event, flag), ACL_SUCCESS) << why();
    return event;
  }
  static aclrtEventRecordedStatus status_of(aclrtEvent event) {
    aclrtEventRecordedStatus status = ACL_EVENT_RECORDED_STATUS_COMPLETE;
    EXPECT_EQ(aclrtQueryEventStatus(event, &status), ACL_SUCCESS) << why();
    return status;
  }
};

// ---- Events.

TEST_F(ModelTask, AnEventOrdersTwoStreamsInEveryRun) {
  aclrtStream first = bound();
  aclrtStream second = bound();
  aclrtEvent event = make_event();
  // The first is slower: without the wait the second would be in front of it.
  ACL_OK(aclrtLaunchHostFunc(
      first,
      [](void*) {
        for (int i = 0; i < 1000; ++i) {
          std::this_thread::yield();
        }
      },
      nullptr));
  ACL_OK(note(first, 1));
  ACL_OK(aclrtRecordEvent(event, first));
  ACL_OK(aclrtStreamWaitEvent(second, event));
  ACL_OK(note(second, 2));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  for (int run = 0; run < 20; ++run) {
    ACL_OK(aclmdlRIExecute(model_, -1));
    ASSERT_EQ(trace(), (std::vector{1, 2})) << run;
  }
}

TEST_F(ModelTask, AnEventMayBeResetAndRecordedAgainInARun) {
  aclrtStream first = bound();
  aclrtStream second = bound();
  aclrtEvent there = make_event();
  aclrtEvent back = make_event();
  for (int turn = 0; turn < 3; ++turn) {
    ACL_OK(note(first, 2 * turn));
    ACL_OK(aclrtRecordEvent(there, first));
    ACL_OK(aclrtStreamWaitEvent(second, there));
    ACL_OK(aclrtResetEvent(there, second));
    ACL_OK(note(second, 2 * turn + 1));
    ACL_OK(aclrtRecordEvent(back, second));
    ACL_OK(aclrtStreamWaitEvent(first, back));
    ACL_OK(aclrtResetEvent(back, first));
  }
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  for (int run = 0; run < 50; ++run) {
    ACL_OK(aclmdlRIExecute(model_, -1));
    ASSERT_EQ(trace(), (std::vector{0, 1, 2, 3, 4, 5})) << run;
  }
}

TEST_F(ModelTask, EventsOfTheNewFamilyAre207000) {
  aclrtStream stream = bound();
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtRecordEvent(event, stream));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtStreamWaitEvent(stream, event));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtResetEvent(event, stream));
}

TEST_F(ModelTask, AWaitForAnEventThatWasNeverRecordedIs107000) {
  aclrtStream stream = bound();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamWaitEvent(stream, make_event()));
}

TEST_F(ModelTask, HostsSeeEventsOfARun) {
  aclrtStream stream = bound();
  aclrtEvent event = make_event(ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE);
  aclrtEvent later = make_event(ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE);
  ACL_OK(aclrtRecordEvent(event, stream));
  ACL_OK(note(stream, 1));
  ACL_OK(aclrtRecordEvent(later, stream));
  ACL_OK(end_and_build(stream));
  EXPECT_EQ(status_of(event), ACL_EVENT_RECORDED_STATUS_NOT_READY);
  aclrtStream user = make_stream();
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  ACL_OK(aclrtSynchronizeEvent(later));
  EXPECT_EQ(status_of(event), ACL_EVENT_RECORDED_STATUS_COMPLETE);
  float ms = -1;
  ACL_OK(aclrtEventElapsedTime(&ms, event, later));
  EXPECT_GT(ms, 0);
  ACL_OK(aclrtSynchronizeStream(user));
}

TEST_F(ModelTask, AStreamOutsideWaitsForARecordOfARun) {
  aclrtStream stream = bound();
  aclrtEvent event = make_event();
  ACL_OK(note(stream, 1));
  ACL_OK(aclrtRecordEvent(event, stream));
  ACL_OK(end_and_build(stream));
  aclrtStream user = make_stream();
  ACL_OK(aclrtStreamWaitEvent(user, event));
  ACL_OK(note(user, 2));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(user, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  ACL_OK(aclmdlRIExecute(model_, -1));
  ACL_OK(aclrtSynchronizeStream(user));
  EXPECT_EQ(trace(), (std::vector{1, 2}));
}

TEST_F(ModelTask, ARunWaitsForARecordOutside) {
  aclrtStream stream = bound();
  aclrtStream user = make_stream();
  aclrtEvent event = make_event();
  Gate gate;
  ACL_OK(gate.close(user));
  ACL_OK(note(user, 1));
  ACL_OK(aclrtRecordEvent(event, user));
  ACL_OK(aclrtStreamWaitEvent(stream, event));
  ACL_OK(aclrtResetEvent(event, stream));
  ACL_OK(note(stream, 2));
  ACL_OK(end_and_build(stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclmdlRIExecute(model_, 5));
  gate.open();
  ACL_OK(aclrtSynchronizeStream(user));
  aclrtStream other = make_stream();
  ACL_OK(aclmdlRIExecuteAsync(model_, other)) << "behind the run that goes on";
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(other, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT)
      << "it was reset";
  ACL_OK(aclrtRecordEvent(event, user));
  ACL_OK(aclrtSynchronizeStream(other));
  EXPECT_EQ(trace(), (std::vector{1, 2, 2}));
}

TEST_F(ModelTask, AWaitPastItsLimitFailsTheRun) {
  aclrtStream stream = bound();
  aclrtEvent event = make_event();
  ACL_OK(aclrtRecordEvent(event, stream));
  ACL_OK(aclrtResetEvent(event, stream));
  ACL_OK(aclrtStreamWaitEventWithTimeout(stream, event, 1));
  ACL_OK(note(stream, 1));
  ACL_OK(end_and_build(stream));
  ACL_CODE(ACL_ERROR_RT_TASK_TIMEOUT, aclmdlRIExecute(model_, -1));
  EXPECT_EQ(trace(), std::vector{1});
}

TEST_F(ModelTask, EventsMayGoWhileAModelNamesThem) {
  aclrtStream first = bound();
  aclrtStream second = bound();
  aclrtEvent event = make_event();
  ACL_OK(note(first, 1));
  ACL_OK(aclrtRecordEvent(event, first));
  ACL_OK(aclrtStreamWaitEvent(second, event));
  ACL_OK(note(second, 2));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  ACL_OK(aclmdlRIExecute(model_, -1));
  ACL_OK(aclrtDestroyEvent(event));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(trace(), (std::vector{1, 2, 1, 2}));
}

TEST_F(ModelTask, EventRecordsAreGivenBackWithTheStream) {
  uint32_t before = 0;
  uint32_t after = 0;
  ACL_OK(aclrtGetEventAvailNum(&before));
  for (int i = 0; i < 10; ++i) {
    aclrtStream stream = bound();
    aclrtEvent event = make_event();
    ACL_OK(aclrtRecordEvent(event, stream));
    ACL_OK(aclrtStreamWaitEvent(stream, event));
    ACL_OK(aclrtStreamWaitEventWithTimeout(stream, event, 10));
    ACL_OK(aclrtResetEvent(event, stream));
    ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
    ACL_OK(aclmdlRIExecute(model_, -1));
    ACL_OK(aclmdlRIDestroy(model_));
    ACL_OK(aclrtDestroyEvent(event));
    ACL_OK(aclrtDestroyStream(stream));
    ACL_OK(aclmdlRIBuildBegin(&model_, 0));
  }
  ACL_OK(aclrtGetEventAvailNum(&after));
  EXPECT_EQ(after, before);
}

// ---- Notifies, values, memory.

TEST_F(ModelTask, NotifiesLetWaitsGoInEveryRun) {
  aclrtStream first = bound();
  aclrtStream second = bound();
  aclrtNotify notify = nullptr;
  ACL_OK(aclrtCreateNotify(&notify, 0));
  ACL_OK(aclrtWaitAndResetNotify(notify, second, 0));
  ACL_OK(note(second, 2));
  ACL_OK(note(first, 1));
  ACL_OK(aclrtRecordNotify(notify, first));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  ACL_OK(aclrtDestroyNotify(notify));
  for (int run = 0; run < 20; ++run) {
    ACL_OK(aclmdlRIExecute(model_, -1));
    ASSERT_EQ(trace(), (std::vector{1, 2}));
  }
}

TEST_F(ModelTask, MemoryIsCopiedAndFilledAnewInEveryRun) {
  aclrtStream stream = bound();
  uint64_t* pinned = nullptr;
  ACL_OK(aclrtMallocHost(reinterpret_cast<void**>(&pinned), 64));
  pinned[1] = 0;
  ACL_OK(aclrtMemcpyAsync(words_, 8, pinned, 8, ACL_MEMCPY_HOST_TO_DEVICE, stream));
  ACL_OK(aclrtMemcpyAsync(words_ + 1, 8, words_, 8, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
  ACL_OK(aclrtMemcpyAsync(pinned + 1, 8, words_ + 1, 8, ACL_MEMCPY_DEVICE_TO_HOST, stream));
  ACL_OK(aclrtMemsetAsync(words_, 8, 0x11, 8, stream));
  ACL_OK(end_and_build(stream));
  for (uint64_t run = 1; run <= 3; ++run) {
    pinned[0] = run;
    ACL_OK(aclmdlRIExecute(model_, -1));
    EXPECT_EQ(pinned[1], run);
    EXPECT_EQ(word(0), 0x1111111111111111u);
  }
  ACL_OK(aclrtFreeHost(pinned));
}

TEST_F(ModelTask, CopiesOfPageableMemoryAre107000) {
  aclrtStream stream = bound();
  std::vector<uint64_t> pageable(8);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemcpyAsync(words_, 64, pageable.data(), 64, ACL_MEMCPY_HOST_TO_DEVICE, stream));
}

TEST_F(ModelTask, PoolsDoNotAllocateInIt) {
  aclrtStream stream = bound();
  aclrtMemPool pool = nullptr;
  aclrtMemPoolProps props = {};
  props.allocType = ACL_MEM_ALLOCATION_TYPE_PINNED;
  props.location.type = ACL_MEM_LOCATION_TYPE_DEVICE;
  ACL_OK(aclrtMemPoolCreate(&pool, &props));
  void* memory = nullptr;
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtMemPoolMallocAsync(&memory, 64, pool, stream));
  ACL_OK(aclrtMemPoolDestroy(pool));
}

// ---- Functions of the host.

TEST_F(ModelTask, CallbacksRunOnTheirThreadInEveryRun) {
  aclrtStream stream = bound();
  std::atomic<bool> stop{false};
  std::thread server([&] {
    aclrtSetDevice(0);
    while (!stop) {
      aclrtProcessReport(10);
    }
    aclrtResetDevice(0);
  });
  ACL_OK(aclrtSubscribeReport(static_cast<uint64_t>(server.native_handle()), stream));
  static std::vector<int>* seen;
  std::vector<int> list;
  seen = &list;
  for (const intptr_t number : {1, 2}) {
    ACL_OK(aclrtLaunchCallback(
        [](void* p) { seen->push_back(static_cast<int>(reinterpret_cast<intptr_t>(p))); },
        reinterpret_cast<void*>(number), ACL_CALLBACK_BLOCK, stream));
    ACL_OK(aclrtLaunchHostFunc(stream, [](void*) { seen->push_back(0); }, nullptr));
  }
  ACL_OK(end_and_build(stream));
  for (int run = 0; run < 10; ++run) {
    list.clear();
    ACL_OK(aclmdlRIExecute(model_, -1));
    ASSERT_EQ(list, (std::vector{1, 0, 2, 0})) << "the stream waits for each";
  }
  ACL_OK(aclmdlRIDestroy(model_));
  ACL_OK(aclrtUnSubscribeReport(static_cast<uint64_t>(server.native_handle()), stream));
  stop = true;
  server.join();
}

// ---- Cache maintenance with barriers.

TEST_F(ModelTask, CacheBarriersOrderStreams) {
  aclrtStream first = bound();
  aclrtStream second = bound();
  aclrtBarrierTaskInfo wait = {};
  wait.barrierNum = 2;
  wait.cmoInfo[0] = {ACL_RT_CMO_TYPE_PREFETCH, 7};
  wait.cmoInfo[1] = {ACL_RT_CMO_TYPE_INVALID, 8};
  ACL_OK(aclrtCmoWaitBarrier(&wait, second, 0));
  ACL_OK(note(second, 2));
  ACL_OK(note(first, 0));
  ACL_OK(aclrtCmoAsyncWithBarrier(words_, 64, ACL_RT_CMO_TYPE_PREFETCH, 7, first));
  ACL_OK(note(first, 1));
  ACL_OK(aclrtCmoAsyncWithBarrier(words_, 64, ACL_RT_CMO_TYPE_INVALID, 8, first));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  for (int run = 0; run < 20; ++run) {
    ACL_OK(aclmdlRIExecute(model_, -1));
    ASSERT_EQ(trace(), (std::vector{0, 1, 2}));
  }
}

TEST_F(ModelTask, CacheBarriersAreChecked) {
  aclrtStream stream = bound();
  aclrtBarrierTaskInfo wait = {};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCmoWaitBarrier(&wait, stream, 0));
  wait.barrierNum = 7;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCmoWaitBarrier(&wait, stream, 0));
  wait.barrierNum = 1;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCmoWaitBarrier(&wait, stream, 1));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtCmoWaitBarrier(&wait, make_stream(), 0));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtCmoWaitBarrier(nullptr, stream, 0));
  const auto cmo = [&](void* src, size_t size, int type, aclrtStream on) {
    return aclrtCmoAsyncWithBarrier(src, size, static_cast<aclrtCmoType>(type), 1, on);
  };
  ACL_CODE(ACL_ERROR_INVALID_PARAM, cmo(nullptr, 64, 0, stream));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, cmo(words_, 0, 0, stream));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, cmo(words_, 64, 4, stream));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, cmo(&wait, 64, 0, stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, cmo(words_, 64, 0, make_stream()));
}

TEST_F(ModelTask, ABarrierThatNobodyOpensDoesNotBuild) {
  aclrtStream stream = bound();
  aclrtBarrierTaskInfo wait = {};
  wait.barrierNum = 1;
  wait.cmoInfo[0] = {ACL_RT_CMO_TYPE_FLUSH, 3};
  ACL_OK(aclrtCmoWaitBarrier(&wait, stream, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildEnd(model_, nullptr));
  ACL_OK(aclrtCmoAsyncWithBarrier(words_, 64, ACL_RT_CMO_TYPE_FLUSH, 3, bound()));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  ACL_OK(aclmdlRIExecute(model_, -1));
}

}  // namespace
}  // namespace canopy::test
