// Events that are reset, and those that are waited for before their first record.
#include "tests/unit/api/events.h"

#include <atomic>
#include <thread>

namespace canopy::test {
namespace {

class EventReset : public Events {
 protected:
  static aclrtEvent make(uint32_t flags = ACL_EVENT_SYNC) {
    aclrtEvent event = nullptr;
    EXPECT_EQ(aclrtCreateEventWithFlag(&event, flags), ACL_SUCCESS);
    return event;
  }
};

TEST_F(EventReset, IsATaskOfItsStream) {
  aclrtEvent event = make();
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtSynchronizeEvent(event));
  Gate gate;
  ACL_OK(gate.close(second_));
  ACL_OK(aclrtResetEvent(event, second_));
  EXPECT_TRUE(complete(event)) << "its stream has not got there";
  ACL_OK(aclrtSynchronizeEvent(event));
  gate.open();
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_FALSE(complete(event));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSynchronizeEvent(event));
}

TEST_F(EventReset, AWaitAfterItWaitsForTheNextRecord) {
  for (uint32_t flags : {ACL_EVENT_SYNC, ACL_EVENT_EXTERNAL}) {
    aclrtEvent event = make(flags);
    ACL_OK(aclrtRecordEvent(event, first_));
    ACL_OK(aclrtSynchronizeEvent(event));
    ACL_OK(aclrtResetEvent(event, second_));
    ACL_OK(aclrtStreamWaitEvent(second_, event));
    EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(second_, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
    EXPECT_FALSE(complete(event));
    ACL_OK(aclrtRecordEvent(event, first_));
    ACL_OK(aclrtSynchronizeStream(second_));
    EXPECT_TRUE(complete(event));
  }
}

TEST_F(EventReset, RecordWaitAndResetMayBeRepeatedForEver) {
  aclrtEvent event = make();
  std::atomic<int> ran{0};
  uint32_t before = 0;
  uint32_t after = 0;
  ACL_OK(aclrtGetEventAvailNum(&before));
  for (int i = 0; i < 5'000; ++i) {
    ACL_OK(aclrtRecordEvent(event, first_));
    ACL_OK(aclrtStreamWaitEvent(second_, event));
    ACL_OK(aclrtResetEvent(event, second_));
    ACL_OK(aclrtLaunchHostFunc(second_, &add, &ran));
  }
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_EQ(ran.load(), 5'000);
  ACL_OK(aclrtDestroyEvent(event));
  ACL_OK(aclrtSynchronizeDevice());
  ACL_OK(aclrtGetEventAvailNum(&after));
  EXPECT_EQ(after, before) << "records were not given back";
}

TEST_F(EventReset, OfARecordThatIsPendingStillHoldsEarlierWaits) {
  aclrtEvent event = make();
  std::atomic<int> ran{0};
  Gate gate;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtStreamWaitEvent(second_, event));
  ACL_OK(aclrtResetEvent(event, second_));
  ACL_OK(aclrtLaunchHostFunc(second_, &add, &ran));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(second_, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  EXPECT_EQ(ran.load(), 0);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_FALSE(complete(event));
}

TEST_F(EventReset, OfAnEventThatWasNeverRecordedChangesNothing) {
  aclrtEvent event = make();
  ACL_OK(aclrtResetEvent(event, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  EXPECT_FALSE(complete(event));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtStreamWaitEvent(first_, event));
}

TEST_F(EventReset, IsForTheOldFamilyWithSyncOnly) {
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtResetEvent(make_new(), first_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtResetEvent(make_old(), first_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtResetEvent(make(ACL_EVENT_TIME_LINE), first_));
  ACL_OK(aclrtSynchronizeStream(first_));
}

TEST_F(EventReset, TimeStampsAreGoneWithIt) {
  aclrtEvent event = make(ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE);
  uint64_t stamp = 0;
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtEventGetTimestamp(event, &stamp));
  ACL_OK(aclrtResetEvent(event, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_CODE(ACL_ERROR_RT_INTERNAL_ERROR, aclrtEventGetTimestamp(event, &stamp));
}

TEST_F(EventReset, AnExternalEventIsWaitedForBeforeItsFirstRecord) {
  aclrtEvent event = make(ACL_EVENT_EXTERNAL);
  std::atomic<int> ran{0};
  ACL_OK(aclrtStreamWaitEvent(second_, event));
  ACL_OK(aclrtLaunchHostFunc(second_, &add, &ran));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(second_, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  EXPECT_EQ(ran.load(), 0);
  EXPECT_FALSE(complete(event));
  ACL_OK(aclrtRecordEvent(event, first_));
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_EQ(ran.load(), 1);
}

TEST_F(EventReset, DestroyingAnEventThatNobodyRecordsEndsItsWaits) {
  aclrtEvent event = make(ACL_EVENT_EXTERNAL);
  ACL_OK(aclrtStreamWaitEvent(first_, event));
  ACL_OK(aclrtStreamWaitEventWithTimeout(second_, event, 1'000));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(second_, 5), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  ACL_OK(aclrtDestroyEvent(event));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtSynchronizeStream(second_));
}

// Whichever way the calls of the two threads mix, every wait is for a record that is there or
// comes.
TEST_F(EventReset, WaitsThatRaceWithRecordsLoseNobody) {
  aclrtEvent event = make(ACL_EVENT_EXTERNAL);
  std::atomic<bool> done{false};
  std::jthread waiter([&] {
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    for (int i = 0; i < 2'000; ++i) {
      ASSERT_EQ(aclrtStreamWaitEvent(second_, event), ACL_SUCCESS);
      ASSERT_EQ(aclrtResetEvent(event, second_), ACL_SUCCESS);
    }
    ASSERT_EQ(aclrtSynchronizeStream(second_), ACL_SUCCESS);
    done.store(true);
    ASSERT_EQ(aclrtResetDevice(0), ACL_SUCCESS);
  });
  while (!done.load()) {
    ACL_OK(aclrtRecordEvent(event, first_));
  }
}

}  // namespace
}  // namespace canopy::test
