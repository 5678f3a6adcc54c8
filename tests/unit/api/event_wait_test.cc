// Waits for events: limits, flags, what is over and what is left; numbers and counts.
#include "tests/unit/api/events.h"

#include "runtime/base/clock.h"

#include <array>
#include <atomic>
#include <set>
#include <string>
#include <vector>

namespace canopy::test {
namespace {

TEST_F(Events, OneSecondIsTheLimitOfAWaitAndItsExpiryShowsAtTheNextSynchronisation) {
  aclrtEvent event = make_old();
  std::atomic<int> ran{0};
  Gate gate;
  ACL_OK(gate.close(first_));
  OpenAtEnd open(gate, first_);
  ACL_OK(aclrtRecordEvent(event, first_));
  const uint64_t begin = monotonic_ns();
  ACL_OK(aclrtStreamWaitEventWithTimeout(second_, event, 1));
  ACL_OK(aclrtLaunchHostFunc(second_, &add, &ran));
  ACL_CODE(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(second_));
  EXPECT_GE(monotonic_ns() - begin, 1'000'000'000u);
  EXPECT_EQ(ran.load(), 1) << "the stream goes on behind the failed wait";
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Events, AnExpiredWaitSaysWhoWaitedForWhatAndHowLong) {
  aclrtEvent event = make_new();
  uint32_t id = 0;
  int32_t stream = 0;
  ACL_OK(aclrtGetEventId(event, &id));
  ACL_OK(aclrtStreamGetId(second_, &stream));
  Gate gate;
  ACL_OK(gate.close(first_));
  OpenAtEnd open(gate, first_);
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtStreamWaitEventWithTimeout(second_, event, 1));
  ASSERT_EQ(aclrtSynchronizeStream(second_), ACL_ERROR_RT_TASK_TIMEOUT);
  EXPECT_EQ(std::string(why()), "device 0 stream " + std::to_string(stream) +
                                    ": the wait for event " + std::to_string(id) +
                                    " ran past its limit of 1 s");
}

TEST_F(Events, AWaitWithinItsLimitEndsWithTheRecord) {
  for (aclrtEvent event : {make_old(), make_new()}) {
    Gate gate;
    ACL_OK(gate.close(first_));
    ACL_OK(aclrtRecordEvent(event, first_));
    ACL_OK(aclrtStreamWaitEventWithTimeout(second_, event, 1'000));
    EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(second_, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
    gate.open();
    ACL_OK(aclrtSynchronizeStream(second_));
    ACL_OK(aclrtSynchronizeStream(first_));
  }
}

TEST_F(Events, TheRecordStillComesAfterTheWaitHasGivenUp) {
  aclrtEvent event = make_new();
  uint32_t before = 0;
  ACL_OK(aclrtGetEventAvailNum(&before));
  Gate gate;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtStreamWaitEventWithTimeout(second_, event, 1));
  ACL_CODE(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(second_));
  ACL_OK(aclrtDestroyStream(second_));  // the record must not touch it any more
  gate.open();
  ACL_OK(aclrtSynchronizeStream(first_));
  EXPECT_TRUE(complete(event));
  ACL_OK(aclrtDestroyEvent(event));
  ACL_OK(aclrtSynchronizeStream(first_));
  uint32_t after = 0;
  ACL_OK(aclrtGetEventAvailNum(&after));
  EXPECT_EQ(after, before) << "a record was not given back";
}

TEST_F(Events, ANegativeLimitOfAWaitIs107000) {
  aclrtEvent event = make_new();
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamWaitEventWithTimeout(second_, event, -1));
}

TEST_F(Events, SetOpWaitTimeoutIsTheLimitOfLaterWaitsThatNameNone) {
  aclrtEvent event = make_new();
  Gate gate;
  ACL_OK(gate.close(first_));
  OpenAtEnd open(gate, first_);
  ACL_OK(aclrtRecordEvent(event, first_));
  aclrtStream earlier = nullptr;
  ACL_OK(aclrtCreateStream(&earlier));
  ACL_OK(aclrtStreamWaitEvent(earlier, event));
  ACL_OK(aclrtSetOpWaitTimeout(1));
  aclrtStream endless = nullptr;
  ACL_OK(aclrtCreateStream(&endless));
  ACL_OK(aclrtStreamWaitEventWithTimeout(endless, event, 0));
  ACL_OK(aclrtStreamWaitEvent(second_, event));
  ACL_CODE(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(second_));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(earlier, 200), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(endless, 200), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  ACL_OK(aclrtSetOpWaitTimeout(0));
}

TEST_F(Events, DefaultFlagsOfRecordAndWaitAreThePlainCalls) {
  aclrtEvent event = make_new();
  Gate gate;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtRecordEventWithFlag(event, first_, ACL_EVENT_RECORD_DEFAULT));
  ACL_OK(aclrtStreamWaitEventWithFlag(second_, event, 0, ACL_EVENT_WAIT_DEFAULT));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(second_, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Events, AWaitWithDefaultFlagHasItsLimitToo) {
  aclrtEvent event = make_new();
  Gate gate;
  ACL_OK(gate.close(first_));
  OpenAtEnd open(gate, first_);
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtStreamWaitEventWithFlag(second_, event, 1, ACL_EVENT_WAIT_DEFAULT));
  ACL_CODE(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(second_));
}

TEST_F(Events, ExternalRecordsAndWaitsOutsideOfACaptureAre107029) {
  aclrtEvent event = make_new();
  ACL_CODE(ACL_ERROR_RT_STREAM_NOT_CAPTURED,
           aclrtRecordEventWithFlag(event, first_, ACL_EVENT_RECORD_EXTERNAL));
  ACL_CODE(ACL_ERROR_RT_STREAM_NOT_CAPTURED,
           aclrtStreamWaitEventWithFlag(first_, event, 0, ACL_EVENT_WAIT_EXTERNAL));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtStreamWaitEventWithFlag(first_, event, 1, ACL_EVENT_WAIT_EXTERNAL));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtRecordEventWithFlag(event, first_, 2));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamWaitEventWithFlag(first_, event, 0, 2));
  EXPECT_TRUE(idle(first_)) << "nothing was queued";
}

TEST_F(Events, WithoutSyncAStreamWaitIs107000) {
  aclrtEvent old_style = nullptr;
  ACL_OK(aclrtCreateEventWithFlag(&old_style, ACL_EVENT_TIME_LINE));
  for (aclrtEvent event :
       {old_style, make_new(ACL_EVENT_CAPTURE_STREAM_PROGRESS), make_new(ACL_EVENT_TIME_LINE)}) {
    ACL_OK(aclrtRecordEvent(event, first_));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamWaitEvent(second_, event));
    ACL_OK(aclrtSynchronizeEvent(event));
  }
}

TEST_F(Events, ExternalAndIpcBelongToOneFamilyEach) {
  aclrtEvent event = kInvented;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateEventExWithFlag(&event, ACL_EVENT_EXTERNAL));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateEventWithFlag(&event, ACL_EVENT_IPC));
  EXPECT_EQ(event, kInvented);
}

// ---- Waits passed, numbers, counts.

TEST_F(Events, WaitStatusTellsWhetherAllWaitsHavePassed) {
  aclrtEvent event = make_old();
  aclrtEventWaitStatus status = ACL_EVENT_WAIT_STATUS_RESERVED;
  ACL_OK(aclrtQueryEventWaitStatus(event, &status));
  EXPECT_EQ(status, ACL_EVENT_WAIT_STATUS_COMPLETE) << "nobody waits";
  Gate gate;
  Gate later;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(later.close(second_));
  ACL_OK(aclrtStreamWaitEvent(second_, event));
  ACL_OK(aclrtQueryEventWaitStatus(event, &status));
  EXPECT_EQ(status, ACL_EVENT_WAIT_STATUS_NOT_READY);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtQueryEventWaitStatus(event, &status));
  EXPECT_EQ(status, ACL_EVENT_WAIT_STATUS_NOT_READY)
      << "recorded, but the second stream has not got to its wait";
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtQueryEventWaitStatus(event, &status));
  EXPECT_EQ(status, ACL_EVENT_WAIT_STATUS_NOT_READY) << "the wait for the older record";
  later.open();
  ACL_OK(aclrtSynchronizeStream(second_));
  ACL_OK(aclrtQueryEventWaitStatus(event, &status));
  EXPECT_EQ(status, ACL_EVENT_WAIT_STATUS_COMPLETE);
}

TEST_F(Events, WaitStatusIsCompleteAsSoonAsTheWaitingStreamIs) {
  aclrtEvent event = make_old();
  for (int i = 0; i < 2'000; ++i) {
    ACL_OK(aclrtRecordEvent(event, first_));
    ACL_OK(aclrtStreamWaitEvent(second_, event));
    ACL_OK(aclrtSynchronizeStream(second_));
    aclrtEventWaitStatus status = ACL_EVENT_WAIT_STATUS_RESERVED;
    ACL_OK(aclrtQueryEventWaitStatus(event, &status));
    ASSERT_EQ(status, ACL_EVENT_WAIT_STATUS_COMPLETE) << i;
  }
}

TEST_F(Events, WaitStatusIsForTheOldFamilyOnly) {
  aclrtEventWaitStatus status = ACL_EVENT_WAIT_STATUS_RESERVED;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtQueryEventWaitStatus(make_new(), &status));
  EXPECT_EQ(status, ACL_EVENT_WAIT_STATUS_RESERVED);
}

TEST_F(Events, IdsAreUniqueAmongLiveEventsAndStay) {
  std::set<uint32_t> seen;
  aclrtEvent last = nullptr;
  for (int i = 0; i < 1'000; ++i) {
    last = i % 2 == 0 ? make_old() : make_new();
    uint32_t id = ~0u;
    ACL_OK(aclrtGetEventId(last, &id));
    EXPECT_LT(id, 65'536u);
    EXPECT_TRUE(seen.insert(id).second) << id;
  }
  uint32_t before = 0;
  uint32_t after = 0;
  ACL_OK(aclrtGetEventId(last, &before));
  ACL_OK(aclrtRecordEvent(last, first_));
  ACL_OK(aclrtGetEventId(last, &after));
  EXPECT_EQ(before, after);
}

TEST_F(Events, AvailableNumberFallsWithTheFirstRecordAndRisesWithDestroy) {
  uint32_t start = 0;
  uint32_t now = 0;
  ACL_OK(aclrtGetEventAvailNum(&start));
  EXPECT_LE(start, 65'536u);
  EXPECT_GT(start, 60'000u);
  aclrtEvent event = make_new();
  ACL_OK(aclrtGetEventAvailNum(&now));
  EXPECT_EQ(now, start) << "taken lazily";
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtGetEventAvailNum(&now));
  EXPECT_EQ(now, start - 1);
  ACL_OK(aclrtDestroyEvent(event));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtGetEventAvailNum(&now));
  EXPECT_EQ(now, start);
}

// Records in 32 streams, waits in 32 others, none of them over.
TEST_F(Events, WaitsFor65536EventsMayBePending) {
  constexpr size_t kLanes = 34;  // a stream holds 2,013 tasks
  constexpr size_t kEvents = 65'536;
  std::array<aclrtStream, kLanes> recording{};
  std::array<aclrtStream, kLanes> waiting{};
  std::atomic<int> ran{0};
  Gate gate;
  for (size_t i = 0; i < kLanes; ++i) {
    ACL_OK(aclrtCreateStream(&recording[i]));
    ACL_OK(aclrtCreateStream(&waiting[i]));
    ACL_OK(gate.close(recording[i]));
  }
  std::vector<aclrtEvent> events;
  for (size_t i = 0; i < kEvents; ++i) {
    events.push_back(make_new());
    ACL_OK(aclrtRecordEvent(events.back(), recording[i % kLanes]));
    ACL_OK(aclrtStreamWaitEvent(waiting[i % kLanes], events.back()));
  }
  for (aclrtStream stream : waiting) {
    ACL_OK(aclrtLaunchHostFunc(stream, &add, &ran));
  }
  uint32_t left = 1;
  ACL_OK(aclrtGetEventAvailNum(&left));
  EXPECT_EQ(left, 0u);
  aclrtEvent one_more = make_new();
  ACL_CODE(ACL_ERROR_RT_NO_EVENT_RESOURCE, aclrtRecordEvent(one_more, first_));
  EXPECT_EQ(ran.load(), 0);
  gate.open();
  ACL_OK(aclrtSynchronizeDevice());
  EXPECT_EQ(ran.load(), static_cast<int>(kLanes));
  for (aclrtEvent event : events) {
    ASSERT_TRUE(complete(event));
    ACL_OK(aclrtDestroyEvent(event));
  }
  ACL_OK(aclrtRecordEvent(one_more, first_));
  ACL_OK(aclrtSynchronizeEvent(one_more));
}

}  // namespace
}  // namespace canopy::test
