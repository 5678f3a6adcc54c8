// Counting notifies: every change, every comparison.
#include "tests/unit/api/gate.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class CntNotifies : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&first_));
    ACL_OK(aclrtCreateStream(&second_));
    ACL_OK(aclrtCntNotifyCreate(&counter_, 0));
  }
  aclError record(aclrtCntNotifyRecordMode mode, uint32_t value) {
    aclrtCntNotifyRecordInfo info{mode, value};
    return aclrtCntNotifyRecord(counter_, first_, &info);
  }
  aclError wait(aclrtCntNotifyWaitMode mode, uint32_t value, uint8_t clear = 0,
                uint32_t timeout = 0) {
    return wait_on(second_, mode, value, clear, timeout);
  }
  aclError wait_on(aclrtStream stream, aclrtCntNotifyWaitMode mode, uint32_t value, uint8_t clear,
                   uint32_t timeout) {
    aclrtCntNotifyWaitInfo info{mode, value, timeout, clear, {}};
    return aclrtCntNotifyWaitWithTimeout(counter_, stream, &info);
  }
  aclError set(uint32_t value) { return record(ACL_RT_CNT_NOTIFY_RECORD_SET_VALUE_MODE, value); }
  // Whether a wait for `value` passes now; the word is left as it is.
  bool is(uint32_t value) {
    EXPECT_EQ(aclrtSynchronizeStream(first_), ACL_SUCCESS);
    EXPECT_EQ(wait(ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, value, 0, 1), ACL_SUCCESS);
    return aclrtSynchronizeStream(second_) == ACL_SUCCESS;
  }
  bool blocked() {
    return aclrtSynchronizeStreamWithTimeout(second_, 20) == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT;
  }

  aclrtStream first_ = nullptr;
  aclrtStream second_ = nullptr;
  aclrtCntNotify counter_ = nullptr;
};

TEST_F(CntNotifies, StartAtZero) { EXPECT_TRUE(is(0)); }

TEST_F(CntNotifies, RecordsSetAddOrAnd) {
  ACL_OK(record(ACL_RT_CNT_NOTIFY_RECORD_SET_VALUE_MODE, 12));
  ACL_OK(record(ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, 5));
  EXPECT_TRUE(is(17));
  ACL_OK(record(ACL_RT_CNT_NOTIFY_RECORD_BIT_OR_MODE, 6));
  EXPECT_TRUE(is(23));
  ACL_OK(record(ACL_RT_CNT_NOTIFY_RECORD_BIT_AND_MODE, 9));
  EXPECT_TRUE(is(1));
  ACL_OK(record(ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, 0xFFFFFFFF));
  EXPECT_TRUE(is(0)) << "32 bits: it wraps";
}

struct Comparison {
  aclrtCntNotifyWaitMode mode;
  uint32_t wanted;
  uint32_t no;   // does not satisfy it
  uint32_t yes;  // does
};

class CntNotifyComparison : public CntNotifies, public testing::WithParamInterface<Comparison> {};

TEST_P(CntNotifyComparison, HoldsTheStreamUntilItIsTrue) {
  const Comparison& c = GetParam();
  ACL_OK(set(c.no));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(wait(c.mode, c.wanted));
  EXPECT_TRUE(blocked());
  ACL_OK(set(c.yes));
  ACL_OK(aclrtSynchronizeStream(second_));
  ACL_OK(wait(c.mode, c.wanted));
  ACL_OK(aclrtSynchronizeStream(second_)) << "a level: true already";
  EXPECT_TRUE(is(c.yes)) << "the wait does not clear unless asked";
}

INSTANTIATE_TEST_SUITE_P(
    All, CntNotifyComparison,
    testing::Values(
        Comparison{ACL_RT_CNT_NOTIFY_WAIT_LESS_MODE, 5, 5, 4},
        Comparison{ACL_RT_CNT_NOTIFY_WAIT_LESS_MODE, 0x80000000, 0x80000001, 0x7FFFFFFF},
        Comparison{ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 5, 6, 5},
        Comparison{ACL_RT_CNT_NOTIFY_WAIT_BIGGER_MODE, 5, 5, 6},
        Comparison{ACL_RT_CNT_NOTIFY_WAIT_BIGGER_OR_EQUAL_MODE, 5, 4, 5},
        Comparison{ACL_RT_CNT_NOTIFY_WAIT_BIGGER_OR_EQUAL_MODE, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF},
        Comparison{ACL_RT_CNT_NOTIFY_WAIT_EQUAL_WITH_BITMASK_MODE, 6, 5, 7}));

TEST_F(CntNotifies, IsClearZeroesWhenTheWaitIsSatisfied) {
  ACL_OK(set(9));
  ACL_OK(wait(ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 9, 1));
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_TRUE(is(0));
  ACL_OK(wait(ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 9, 1));
  EXPECT_TRUE(blocked());
  ACL_OK(set(9));
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_TRUE(is(0)) << "also when it had to wait";
}

TEST_F(CntNotifies, AWaitThatClearsMaySatisfyAnotherOne) {
  aclrtStream third = nullptr;
  ACL_OK(aclrtCreateStream(&third));
  ACL_OK(set(3));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(wait(ACL_RT_CNT_NOTIFY_WAIT_LESS_MODE, 1));
  EXPECT_TRUE(blocked());
  // First a wait that is satisfied at once, then one that a record satisfies.
  ACL_OK(wait_on(third, ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 3, 1, 0));
  ACL_OK(aclrtSynchronizeStream(third));
  ACL_OK(aclrtSynchronizeStream(second_));
  ACL_OK(set(3));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(wait(ACL_RT_CNT_NOTIFY_WAIT_LESS_MODE, 1));
  EXPECT_TRUE(blocked());
  ACL_OK(wait_on(third, ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 4, 1, 0));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(third, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  ACL_OK(set(4));
  ACL_OK(aclrtSynchronizeStream(third));
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(CntNotifies, OneRecordLetsAllThroughWhomItSatisfies) {
  std::vector<aclrtStream> streams(20);
  for (aclrtStream& stream : streams) {
    ACL_OK(aclrtCreateStream(&stream));
    ACL_OK(wait_on(stream, ACL_RT_CNT_NOTIFY_WAIT_BIGGER_OR_EQUAL_MODE, 1, 0, 100));
  }
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(streams.back(), 20),
            ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  ACL_OK(set(1));
  for (aclrtStream stream : streams) {
    ACL_OK(aclrtSynchronizeStream(stream));
  }
}

TEST_F(CntNotifies, ResetIsATaskOfItsStream) {
  ACL_OK(set(7));
  ACL_OK(aclrtSynchronizeStream(first_));
  Gate gate;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtCntNotifyReset(counter_, first_));
  ACL_OK(wait(ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 7));
  ACL_OK(aclrtSynchronizeStream(second_));
  gate.open();
  EXPECT_TRUE(is(0));
}

TEST_F(CntNotifies, AnExpiredWaitSaysWhatItWantedAndSaw) {
  const struct {
    aclrtCntNotifyWaitMode mode;
    const char* words;
  } modes[] = {
      {ACL_RT_CNT_NOTIFY_WAIT_BIGGER_MODE, "above 40 wanted, 17 seen"},
      {ACL_RT_CNT_NOTIFY_WAIT_EQUAL_WITH_BITMASK_MODE, "with all bits of 40 wanted, 17 seen"}};
  uint32_t id = 0;
  int32_t stream = 0;
  ACL_OK(aclrtCntNotifyGetId(counter_, &id));
  ACL_OK(aclrtStreamGetId(second_, &stream));
  ACL_OK(set(17));
  for (const auto& [mode, words] : modes) {
    ACL_OK(wait(mode, 40, 0, 1));
    ASSERT_EQ(aclrtSynchronizeStream(second_), ACL_ERROR_RT_TASK_TIMEOUT);
    EXPECT_EQ(std::string(why()), "device 0 stream " + std::to_string(stream) +
                                      ": the wait for counting notify " + std::to_string(id) +
                                      " ran past its limit of 1 s: " + words);
  }
}

TEST_F(CntNotifies, NullIsTheDefaultStream) {
  aclrtCntNotifyRecordInfo add{ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, 2};
  ACL_OK(aclrtCntNotifyRecord(counter_, nullptr, &add));
  ACL_OK(wait_on(nullptr, ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 2, 0, 0));
  ACL_OK(aclrtCntNotifyReset(counter_, nullptr));
  ACL_OK(wait_on(nullptr, ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 0, 0, 0));
  ACL_OK(aclrtSynchronizeStream(nullptr));
}

TEST_F(CntNotifies, WrongModesAndFlagsAre107000) {
  for (int mode : {-1, 3, 5}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, record(static_cast<aclrtCntNotifyRecordMode>(mode), 1))
        << mode;
  }
  for (int mode : {-1, 5}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, wait(static_cast<aclrtCntNotifyWaitMode>(mode), 1))
        << mode;
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, wait(ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 1, 2));
  aclrtCntNotify counter = kInvented;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCntNotifyCreate(&counter, 2));
  EXPECT_EQ(counter, kInvented);
}

TEST_F(CntNotifies, StaleForeignAndInventedHandlesAre107017) {
  aclrtNotify notify = nullptr;
  ACL_OK(aclrtCreateNotify(&notify, 0));
  aclrtCntNotify stale = nullptr;
  ACL_OK(aclrtCntNotifyCreate(&stale, 0));
  ACL_OK(aclrtCntNotifyDestroy(stale));
  for (void* handle : {static_cast<void*>(stale), static_cast<void*>(notify), kInvented}) {
    aclrtCntNotifyRecordInfo change{ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, 1};
    aclrtCntNotifyWaitInfo want{ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, 1, 0, 0, {}};
    uint32_t id = 0;
    constexpr int kCode = ACL_ERROR_RT_INVALID_HANDLE;
    ACL_CODE(kCode, aclrtCntNotifyDestroy(handle));
    ACL_CODE(kCode, aclrtCntNotifyRecord(handle, first_, &change));
    ACL_CODE(kCode, aclrtCntNotifyWaitWithTimeout(handle, first_, &want));
    ACL_CODE(kCode, aclrtCntNotifyReset(handle, first_));
    ACL_CODE(kCode, aclrtCntNotifyGetId(handle, &id));
  }
}

TEST_F(CntNotifies, AddsOfManyStreamsAreAllCounted) {
  constexpr int kStreams = 4;
  constexpr int kAdds = 1'000;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kStreams; ++t) {
    threads.emplace_back([&] {
      ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
      aclrtStream stream = nullptr;
      ASSERT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS);
      aclrtCntNotifyRecordInfo one{ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, 1};
      for (int i = 0; i < kAdds; ++i) {
        ASSERT_EQ(aclrtCntNotifyRecord(counter_, stream, &one), ACL_SUCCESS);
      }
      ASSERT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS);
      ASSERT_EQ(aclrtResetDevice(0), ACL_SUCCESS);
    });
  }
  ACL_OK(wait(ACL_RT_CNT_NOTIFY_WAIT_BIGGER_OR_EQUAL_MODE, kStreams * kAdds, 0, 100));
  ACL_OK(aclrtSynchronizeStream(second_));
  threads.clear();
  EXPECT_TRUE(is(kStreams * kAdds));
}

}  // namespace
}  // namespace canopy::test
