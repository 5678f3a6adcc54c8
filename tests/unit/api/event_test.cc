// Events of both families.
#include "tests/unit/api/events.h"

#include "runtime/base/clock.h"

#include <atomic>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

TEST_F(Events, OldAWaitBeforeAnyRecordIs107000) {
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamWaitEvent(first_, make_old()));
  aclrtEvent flagged = nullptr;
  ACL_OK(aclrtCreateEventWithFlag(&flagged, ACL_EVENT_SYNC));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamWaitEvent(first_, flagged));
}

TEST_F(Events, NewAWaitBeforeAnyRecordPassesAndQueuesNothing) {
  ACL_OK(aclrtStreamWaitEvent(first_, make_new()));
  EXPECT_TRUE(idle(first_));
}

TEST_F(Events, AQueryBeforeAnyRecordIsNotReadyForOldAndCompleteForNew) {
  EXPECT_FALSE(complete(make_old()));
  EXPECT_TRUE(complete(make_new()));
}

TEST_F(Events, QueryEventIsForTheOldFamilyOnly) {
  aclrtEventStatus status = ACL_EVENT_STATUS_RESERVED;
  EXPECT_NE(aclrtQueryEvent(make_new(), &status), ACL_SUCCESS);
  ACL_OK(aclrtQueryEvent(make_old(), &status));
  EXPECT_EQ(status, ACL_EVENT_STATUS_NOT_READY);
}

TEST_F(Events, QueryFollowsTheNewestRecord) {
  aclrtEvent event = make_old();
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtSynchronizeEvent(event));
  EXPECT_TRUE(complete(event));
  Gate gate;
  ACL_OK(gate.close(first_));
  OpenAtEnd open(gate, first_);
  ACL_OK(aclrtRecordEvent(event, first_));
  EXPECT_FALSE(complete(event));
}

TEST_F(Events, AWaitHoldsTheOtherStreamUntilTheRecord) {
  for (aclrtEvent event : {make_old(), make_new()}) {
    std::atomic<int> ran{0};
    Gate gate;
    ACL_OK(gate.close(first_));
    ACL_OK(aclrtRecordEvent(event, first_));
    ACL_OK(aclrtStreamWaitEvent(second_, event));
    ACL_OK(aclrtLaunchHostFunc(second_, &add, &ran));
    EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(second_, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
    EXPECT_EQ(ran.load(), 0);
    gate.open();
    ACL_OK(aclrtSynchronizeStream(second_));
    EXPECT_EQ(ran.load(), 1);
    ACL_OK(aclrtSynchronizeStream(first_));
  }
}

TEST_F(Events, AWaitOnTheRecordingStreamQueuesNothing) {
  aclrtEvent event = make_new();
  Gate gate;
  ACL_OK(gate.close(first_));
  OpenAtEnd open(gate, first_);
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtStreamWaitEvent(first_, event));
}

TEST_F(Events, AWaitForACompleteRecordQueuesNothing) {
  aclrtEvent event = make_new();
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtSynchronizeEvent(event));
  ACL_OK(aclrtStreamWaitEvent(second_, event));
  EXPECT_TRUE(idle(second_));
}

TEST_F(Events, AWaitBindsToTheNewestRecordAtTheTimeOfTheCall) {
  aclrtEvent event = make_new();
  Gate early;
  Gate late;
  ACL_OK(early.close(first_));
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtStreamWaitEvent(second_, event));  // the first record
  ACL_OK(late.close(first_));
  ACL_OK(aclrtRecordEvent(event, first_));  // must not move the wait
  {
    OpenAtEnd open(late, first_);
    early.open();
    ACL_OK(aclrtSynchronizeStreamWithTimeout(second_, 20'000));
    EXPECT_FALSE(complete(event)) << "the newest record is still behind the second gate";
  }
}

TEST_F(Events, ARecordOnAnotherStreamReplacesAPendingOne) {
  aclrtEvent event = make_new();
  Gate gate;
  ACL_OK(gate.close(first_));
  OpenAtEnd open(gate, first_);
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtRecordEvent(event, second_));
  ACL_OK(aclrtSynchronizeEventWithTimeout(event, 20'000));
}

TEST_F(Events, SynchronizeWaitsForTheRecord) {
  aclrtEvent event = make_old();
  std::atomic<int> ran{0};
  Gate gate;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtLaunchHostFunc(first_, &add, &ran));
  ACL_OK(aclrtRecordEvent(event, first_));
  std::jthread opener([&] { gate.open(); });
  ACL_OK(aclrtSynchronizeEvent(event));
  EXPECT_EQ(ran.load(), 1);
}

TEST_F(Events, TimeLimitsOfSynchronize) {
  aclrtEvent event = make_old();
  Gate gate;
  ACL_OK(gate.close(first_));
  OpenAtEnd open(gate, first_);
  ACL_OK(aclrtRecordEvent(event, first_));
  for (int32_t timeout : {0, -2, -100}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSynchronizeEventWithTimeout(event, timeout)) << timeout;
  }
  const uint64_t begin = monotonic_ns();
  ACL_CODE(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT, aclrtSynchronizeEventWithTimeout(event, 20));
  EXPECT_GE(monotonic_ns() - begin, 20'000'000u);
  gate.open();
  ACL_OK(aclrtSynchronizeEventWithTimeout(event, -1));
}

TEST_F(Events, DestroyWhilePendingIsLegalAndDoesNotBlock) {
  aclrtEvent event = make_new();
  std::atomic<int> ran{0};
  Gate gate;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtStreamWaitEvent(second_, event));
  ACL_OK(aclrtLaunchHostFunc(second_, &add, &ran));
  ACL_OK(aclrtDestroyEvent(event));
  EXPECT_EQ(ran.load(), 0);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_EQ(ran.load(), 1);
  ACL_OK(aclrtSynchronizeStream(first_));
}

TEST_F(Events, StaleForeignAndInventedHandlesAre107017) {
  aclrtEvent event = make_old();
  ACL_OK(aclrtDestroyEvent(event));
  for (void* handle : {static_cast<void*>(event), static_cast<void*>(first_), kInvented}) {
    aclrtEventStatus status;
    aclrtEventRecordedStatus recorded;
    float ms;
    uint64_t stamp;
    constexpr int kCode = ACL_ERROR_RT_INVALID_HANDLE;
    ACL_CODE(kCode, aclrtDestroyEvent(handle));
    ACL_CODE(kCode, aclrtRecordEvent(handle, first_));
    ACL_CODE(kCode, aclrtStreamWaitEvent(first_, handle));
    ACL_CODE(kCode, aclrtSynchronizeEvent(handle));
    ACL_CODE(kCode, aclrtSynchronizeEventWithTimeout(handle, 1));
    ACL_CODE(kCode, aclrtQueryEvent(handle, &status));
    ACL_CODE(kCode, aclrtQueryEventStatus(handle, &recorded));
    aclrtEventWaitStatus waits;
    uint32_t id;
    ACL_CODE(kCode, aclrtRecordEventWithFlag(handle, first_, 0));
    ACL_CODE(kCode, aclrtRecordEventWithFlag(handle, first_, ACL_EVENT_RECORD_EXTERNAL));
    ACL_CODE(kCode, aclrtResetEvent(handle, first_));
    ACL_CODE(kCode, aclrtStreamWaitEventWithTimeout(first_, handle, 1));
    ACL_CODE(kCode, aclrtStreamWaitEventWithFlag(first_, handle, 0, 0));
    ACL_CODE(kCode, aclrtQueryEventWaitStatus(handle, &waits));
    ACL_CODE(kCode, aclrtGetEventId(handle, &id));
    ACL_CODE(kCode, aclrtEventElapsedTime(&ms, handle, handle));
    ACL_CODE(kCode, aclrtEventGetTimestamp(handle, &stamp));
  }
}

TEST_F(Events, ElapsedTimeHasTheSignOfItsArguments) {
  aclrtEvent start = make_old();
  aclrtEvent end = make_old();
  ACL_OK(aclrtRecordEvent(start, first_));
  ACL_OK(aclrtLaunchHostFunc(first_, [](void*) {
    const uint64_t begin = monotonic_ns();
    while (monotonic_ns() - begin < 5'000'000) {
    }
  }, nullptr));
  ACL_OK(aclrtRecordEvent(end, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  float forward = 0;
  float backward = 0;
  ACL_OK(aclrtEventElapsedTime(&forward, start, end));
  ACL_OK(aclrtEventElapsedTime(&backward, end, start));
  EXPECT_GE(forward, 4.9f);
  EXPECT_LT(forward, 2'000.0f);
  EXPECT_FLOAT_EQ(backward, -forward);
}

TEST_F(Events, ElapsedTimeOfAnUnrecordedEventIs507000) {
  aclrtEvent recorded = make_old();
  ACL_OK(aclrtRecordEvent(recorded, first_));
  ACL_OK(aclrtSynchronizeEvent(recorded));
  float ms = -7;
  ACL_CODE(ACL_ERROR_RT_INTERNAL_ERROR, aclrtEventElapsedTime(&ms, make_old(), recorded));
  ACL_CODE(ACL_ERROR_RT_INTERNAL_ERROR, aclrtEventElapsedTime(&ms, recorded, make_old()));
  uint64_t stamp = 0;
  ACL_CODE(ACL_ERROR_RT_INTERNAL_ERROR, aclrtEventGetTimestamp(make_old(), &stamp));
  EXPECT_EQ(ms, -7);
}

TEST_F(Events, ElapsedTimeOfAPendingOrUntimedEventIs107006) {
  aclrtEvent done = make_old();
  aclrtEvent pending = make_old();
  aclrtEvent untimed = make_new(ACL_EVENT_SYNC);
  ACL_OK(aclrtRecordEvent(done, second_));
  ACL_OK(aclrtRecordEvent(untimed, second_));
  ACL_OK(aclrtSynchronizeStream(second_));
  Gate gate;
  ACL_OK(gate.close(first_));
  OpenAtEnd open(gate, first_);
  ACL_OK(aclrtRecordEvent(pending, first_));
  float ms = 0;
  uint64_t stamp = 0;
  ACL_CODE(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, aclrtEventElapsedTime(&ms, done, pending));
  ACL_CODE(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, aclrtEventElapsedTime(&ms, untimed, done));
  ACL_CODE(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, aclrtEventGetTimestamp(pending, &stamp));
}

TEST_F(Events, TimestampsAreMicrosecondsAndRiseAlongAStream) {
  std::vector<aclrtEvent> events;
  const uint64_t before = monotonic_ns() / 1000;
  for (int i = 0; i < 200; ++i) {
    events.push_back(make_new(ACL_EVENT_TIME_LINE));
    ACL_OK(aclrtRecordEvent(events.back(), first_));
  }
  ACL_OK(aclrtSynchronizeStream(first_));
  const uint64_t after = monotonic_ns() / 1000;
  uint64_t last = before > 50 ? before - 50 : 0;
  for (aclrtEvent event : events) {
    uint64_t stamp = 0;
    ACL_OK(aclrtEventGetTimestamp(event, &stamp));
    EXPECT_GE(stamp, last);
    EXPECT_LE(stamp, after + 50);
    last = stamp;
  }
}

TEST_F(Events, FlagsOutsideOfTheInterfaceAreRefused) {
  aclrtEvent event = kInvented;
  for (uint32_t flags : {0u, 0x80u, 0x80000000u, ACL_EVENT_EXTERNAL | ACL_EVENT_SYNC, ACL_EVENT_IPC | ACL_EVENT_SYNC}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateEventExWithFlag(&event, flags)) << flags;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateEventWithFlag(&event, flags)) << flags;
  }
  EXPECT_EQ(event, kInvented);
}

TEST_F(Events, AStreamOfAnotherDeviceMayWait) {
  aclrtContext here = nullptr;
  ACL_OK(aclrtGetCurrentContext(&here));
  aclrtEvent event = make_new();
  std::atomic<int> ran{0};
  Gate gate;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtSetDevice(1));
  aclrtStream there = nullptr;
  ACL_OK(aclrtCreateStream(&there));
  ACL_OK(aclrtStreamWaitEvent(there, event));
  ACL_OK(aclrtLaunchHostFunc(there, &add, &ran));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(there, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(there));
  EXPECT_EQ(ran.load(), 1);
}

// 65,536 records may be pending or held on a device; the next one is refused, and nothing is lost.
TEST_F(Events, ADeviceOutOfRecordsSaysSoAndRecovers) {
  std::vector<aclrtEvent> events;
  aclError code = ACL_SUCCESS;
  while (code == ACL_SUCCESS && events.size() < 70'000) {
    events.push_back(make_new());
    code = aclrtRecordEvent(events.back(), first_);
  }
  EXPECT_EQ(code, ACL_ERROR_RT_NO_EVENT_RESOURCE);
  EXPECT_LE(events.size(), 65'537u);
  EXPECT_GE(events.size(), 65'000u);
  ACL_OK(aclrtSynchronizeStream(first_));
  for (aclrtEvent event : events) {
    ACL_OK(aclrtDestroyEvent(event));
  }
  aclrtEvent event = make_new();
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtSynchronizeEvent(event));
}

TEST_F(Events, RecordingOneEventForEverUsesNoMoreThanOneRecord) {
  aclrtEvent event = make_new();
  for (int i = 0; i < 200'000; ++i) {
    ACL_OK(aclrtRecordEvent(event, first_));
  }
  ACL_OK(aclrtSynchronizeEvent(event));
}

TEST_F(Events, OneMayBeRecordedWaitedForAndQueriedByManyThreads) {
  aclrtEvent event = make_new();
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
      for (int i = 0; i < 1'000; ++i) {
        ASSERT_EQ(aclrtRecordEvent(event, t % 2 == 0 ? first_ : second_), ACL_SUCCESS);
        ASSERT_EQ(aclrtStreamWaitEvent(t % 2 == 0 ? second_ : first_, event), ACL_SUCCESS);
        complete(event);
        if (i % 50 == 0) {
          ASSERT_EQ(aclrtSynchronizeEvent(event), ACL_SUCCESS);
        }
      }
      ASSERT_EQ(aclrtResetDevice(0), ACL_SUCCESS);
    });
  }
  threads.clear();
  ACL_OK(aclrtSynchronizeDevice());
}

}  // namespace
}  // namespace canopy::test
