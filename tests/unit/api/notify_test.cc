// Notifies: a level that a record sets and the wait it lets through clears.
#include "tests/unit/api/gate.h"

#include "runtime/base/clock.h"

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class Notifies : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&first_));
    ACL_OK(aclrtCreateStream(&second_));
    ACL_OK(aclrtCreateNotify(&notify_, ACL_NOTIFY_DEFAULT));
  }
  static aclError blocked(aclrtStream stream) {
    return aclrtSynchronizeStreamWithTimeout(stream, 20);
  }

  static constexpr aclError kBlocked = ACL_ERROR_RT_STREAM_SYNC_TIMEOUT;
  aclrtStream first_ = nullptr;
  aclrtStream second_ = nullptr;
  aclrtNotify notify_ = nullptr;
};

TEST_F(Notifies, AWaitBlocksItsStreamUntilTheRecord) {
  std::atomic<int> ran{0};
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  ACL_OK(aclrtLaunchHostFunc(second_, &add, &ran));
  EXPECT_EQ(blocked(second_), kBlocked);
  EXPECT_EQ(ran.load(), 0);
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_EQ(ran.load(), 1);
}

TEST_F(Notifies, ARecordBeforeTheWaitIsRemembered) {
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Notifies, TheWaitClears) {
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  EXPECT_EQ(blocked(second_), kBlocked);
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Notifies, TwoRecordsBeforeAWaitAreOne) {
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  ACL_OK(aclrtSynchronizeStream(second_));
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  EXPECT_EQ(blocked(second_), kBlocked);
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Notifies, OneRecordLetsOneWaitThroughTheOlderFirst) {
  aclrtStream third = nullptr;
  ACL_OK(aclrtCreateStream(&third));
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  EXPECT_EQ(blocked(second_), kBlocked);
  ACL_OK(aclrtWaitAndResetNotify(notify_, third, 0));
  EXPECT_EQ(blocked(third), kBlocked);
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_EQ(blocked(third), kBlocked);
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtSynchronizeStream(third));
}

TEST_F(Notifies, RecordsAndWaitsAreInStreamOrder) {
  Gate gate;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  EXPECT_EQ(blocked(second_), kBlocked);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(second_));
  ACL_OK(aclrtSynchronizeStream(first_));
}

TEST_F(Notifies, AStreamOfAnotherDeviceMayRecord) {
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  aclrtContext here = nullptr;
  ACL_OK(aclrtGetCurrentContext(&here));
  ACL_OK(aclrtSetDevice(1));
  aclrtStream there = nullptr;
  ACL_OK(aclrtCreateStream(&there));
  ACL_OK(aclrtRecordNotify(notify_, there));
  ACL_OK(aclrtSetCurrentContext(here));
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Notifies, NullIsTheDefaultStream) {
  ACL_OK(aclrtRecordNotify(notify_, nullptr));
  ACL_OK(aclrtWaitAndResetNotify(notify_, nullptr, 0));
  ACL_OK(aclrtSynchronizeStream(nullptr));
}

TEST_F(Notifies, ExpiryShowsAtTheNextSynchronisationAndTheStreamGoesOn) {
  std::atomic<int> ran{0};
  const uint64_t begin = monotonic_ns();
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 1));
  ACL_OK(aclrtLaunchHostFunc(second_, &add, &ran));
  ACL_CODE(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(second_));
  EXPECT_GE(monotonic_ns() - begin, 1'000'000'000u);
  EXPECT_LT(monotonic_ns() - begin, 30'000'000'000u);
  EXPECT_EQ(ran.load(), 1);
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Notifies, AnExpiredWaitSaysWhatItWantedAndSaw) {
  uint32_t id = 0;
  int32_t stream = 0;
  ACL_OK(aclrtGetNotifyId(notify_, &id));
  ACL_OK(aclrtStreamGetId(second_, &stream));
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 1));
  ASSERT_EQ(aclrtSynchronizeStream(second_), ACL_ERROR_RT_TASK_TIMEOUT);
  EXPECT_EQ(std::string(why()), "device 0 stream " + std::to_string(stream) +
                                    ": the wait for notify " + std::to_string(id) +
                                    " ran past its limit of 1 s: equal to 1 wanted, 0 seen");
}

TEST_F(Notifies, ARecordAfterTheExpiryIsForTheNextWait) {
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 1));
  ACL_CODE(ACL_ERROR_RT_TASK_TIMEOUT, aclrtSynchronizeStream(second_));
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Notifies, WithinItsLimitAWaitEndsWithTheRecord) {
  for (int i = 0; i < 200; ++i) {
    ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 1'000));
    ACL_OK(aclrtRecordNotify(notify_, first_));
  }
  ACL_OK(aclrtSynchronizeStream(first_));
  // Records that met no wait have collapsed: what is missing is recorded now.
  while (blocked(second_) == kBlocked) {
    ACL_OK(aclrtRecordNotify(notify_, first_));
  }
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Notifies, TheLongestLimitIsNotCutShort) {
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, ~0u));
  EXPECT_EQ(blocked(second_), kBlocked);
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Notifies, BatchResetClearsAllOrNone) {
  aclrtNotify other = nullptr;
  ACL_OK(aclrtCreateNotify(&other, ACL_NOTIFY_DEVICE_USE_ONLY));
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtRecordNotify(other, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  aclrtNotify stale[] = {notify_, kInvented, other};
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtNotifyBatchReset(stale, 3));
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  ACL_OK(aclrtSynchronizeStream(second_)) << "nothing was cleared";
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtSynchronizeStream(first_));
  aclrtNotify both[] = {notify_, other};
  ACL_OK(aclrtNotifyBatchReset(both, 2));
  for (aclrtNotify notify : both) {
    ACL_OK(aclrtWaitAndResetNotify(notify, second_, 0));
    EXPECT_EQ(blocked(second_), kBlocked);
    ACL_OK(aclrtRecordNotify(notify, first_));
    ACL_OK(aclrtSynchronizeStream(second_));
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtNotifyBatchReset(both, 0));
  for (const size_t more_than_there_are : {size_t{1} << 62, ~size_t{0}}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtNotifyBatchReset(both, more_than_there_are));
  }
  aclrtNotify then_none[] = {notify_, nullptr};
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtNotifyBatchReset(then_none, 2));
}

TEST_F(Notifies, DestroyWhileTasksArePendingIsLegal) {
  ACL_OK(aclrtWaitAndResetNotify(notify_, second_, 0));
  EXPECT_EQ(blocked(second_), kBlocked);
  Gate gate;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtRecordNotify(notify_, first_));
  ACL_OK(aclrtDestroyNotify(notify_));
  gate.open();
  ACL_OK(aclrtSynchronizeStream(second_));
  ACL_OK(aclrtSynchronizeStream(first_));
}

TEST_F(Notifies, IdsAreUniqueAmongLiveNotifiesOfADevice) {
  std::set<uint32_t> seen;
  for (int i = 0; i < 500; ++i) {
    aclrtNotify notify = nullptr;
    uint32_t id = ~0u;
    ACL_OK(aclrtCreateNotify(&notify, 0));
    ACL_OK(aclrtGetNotifyId(notify, &id));
    EXPECT_TRUE(seen.insert(id).second) << id;
  }
}

TEST_F(Notifies, ADeviceHas8192AndSaysSo) {
  std::vector<aclrtNotify> all;
  aclError code = ACL_SUCCESS;
  while (code == ACL_SUCCESS && all.size() < 10'000) {
    aclrtNotify notify = nullptr;
    code = aclrtCreateNotify(&notify, 0);
    all.push_back(notify);
  }
  EXPECT_EQ(code, ACL_ERROR_RT_NO_NOTIFY_RESOURCE) << why();
  EXPECT_EQ(all.size(), 8'192u) << "with the one of the fixture, and the one refused";
  all.pop_back();
  ACL_OK(aclrtDestroyNotify(all.back()));
  ACL_OK(aclrtCreateNotify(&all.back(), 0));
}

TEST_F(Notifies, UnknownFlagsAre107000) {
  aclrtNotify notify = kInvented;
  for (uint64_t flag : {uint64_t{2}, uint64_t{1} << 32}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateNotify(&notify, flag));
  }
  EXPECT_EQ(notify, kInvented);
}

TEST_F(Notifies, StaleForeignAndInventedHandlesAre107017) {
  aclrtCntNotify counter = nullptr;
  ACL_OK(aclrtCntNotifyCreate(&counter, 0));
  aclrtNotify stale = nullptr;
  ACL_OK(aclrtCreateNotify(&stale, 0));
  ACL_OK(aclrtDestroyNotify(stale));
  for (void* handle : {static_cast<void*>(stale), static_cast<void*>(counter),
                       static_cast<void*>(first_), kInvented}) {
    uint32_t id = 0;
    constexpr int kCode = ACL_ERROR_RT_INVALID_HANDLE;
    ACL_CODE(kCode, aclrtDestroyNotify(handle));
    ACL_CODE(kCode, aclrtRecordNotify(handle, first_));
    ACL_CODE(kCode, aclrtWaitAndResetNotify(handle, first_, 1));
    ACL_CODE(kCode, aclrtGetNotifyId(handle, &id));
  }
}

TEST_F(Notifies, GoWithTheirDevice) {
  ACL_OK(aclrtResetDevice(0));
  ACL_OK(aclrtSetDevice(0));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtRecordNotify(notify_, nullptr));
}

// Each side lets the other go: a lost wake-up hangs.
TEST_F(Notifies, TwoStreamsMayHandOverToEachOtherForEver) {
  aclrtNotify back = nullptr;
  ACL_OK(aclrtCreateNotify(&back, 0));
  std::atomic<int> ran{0};
  constexpr int kRounds = 5'000;
  std::jthread other([&] {
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_EQ(aclrtWaitAndResetNotify(notify_, second_, i % 2 == 0 ? 0 : 100), ACL_SUCCESS);
      ASSERT_EQ(aclrtRecordNotify(back, second_), ACL_SUCCESS);
    }
    ASSERT_EQ(aclrtResetDevice(0), ACL_SUCCESS);
  });
  for (int i = 0; i < kRounds; ++i) {
    ACL_OK(aclrtRecordNotify(notify_, first_));
    ACL_OK(aclrtWaitAndResetNotify(back, first_, i % 3 == 0 ? 0 : 100));
    ACL_OK(aclrtLaunchHostFunc(first_, &add, &ran));
  }
  other.join();
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_EQ(ran.load(), kRounds);
}

}  // namespace
}  // namespace canopy::test
