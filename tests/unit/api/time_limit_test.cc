// Time limits of kernels.
#include "tests/unit/api/faults.h"

#include <chrono>

namespace canopy::test {
namespace {

class TimeLimit : public Faults {
 protected:
  aclError launch_limited(FaultArgs args, uint32_t blocks, uint64_t us, const char* kernel = "faulty_vector") {
    aclrtLaunchKernelAttr attribute{};
    attribute.id = ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT_US;
    attribute.value.timeoutUs = {static_cast<uint32_t>(us), static_cast<uint32_t>(us >> 32)};
    aclrtLaunchKernelCfg config{&attribute, 1};
    return launch(args, blocks, stream_, kernel, &config);
  }
};

class TimeLimitOf : public TimeLimit, public testing::WithParamInterface<Wrong> {};
INSTANTIATE_TEST_SUITE_P(Kernels, TimeLimitOf,
                         testing::Values(Wrong::loop, Wrong::loop_calling, Wrong::loop_yielding, Wrong::loop_printing,
                                         Wrong::wait_for_word, Wrong::wait_for_flag, Wrong::spin_on_word));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
INSTANTIATE_TEST_SUITE_P(LoopsInLibc, TimeLimitOf,
                         testing::Values(Wrong::loop_sleeping, Wrong::loop_formatting, Wrong::loop_throwing,
                                         Wrong::loop_starting_threads));
#endif

TEST_P(TimeLimitOf, EndsTheKernelAndTheNextThousandLaunchesWork) {
  for (const uint32_t blocks : {1u, 4u}) {
    for (int round = 0; round < 3; ++round) {
      ACL_OK(launch_limited({.wrong = GetParam(), .others = GetParam()}, blocks, 20'000));
      ASSERT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_TIMEOUT) << why();
      EXPECT_NE(std::string(why()).find("kernel faulty_vector ran past its limit of 20000 us"), std::string::npos);
    }
    expect_launches_work(1'000);
  }
}

TEST_F(TimeLimit, EndsBlocksThatWaitForOneThatIsNotComing) {
  ACL_OK(launch_limited({.wrong = Wrong::nothing, .others = Wrong::sync_all_alone}, 3, 20'000));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_TIMEOUT);
}

TEST_F(TimeLimit, NamesTheKindOfCore) {
  for (const char* kernel : {"faulty_cube", "faulty_mix"}) {
    ACL_OK(launch_limited({.wrong = Wrong::loop}, 1, 10'000, kernel));
    EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_AICORE_TIMEOUT);
  }
}

TEST_F(TimeLimit, LeavesKernelsAloneThatEndInTime) {
  for (int i = 0; i < 1'000; ++i) {
    ACL_OK(launch_limited({}, i % 3 + 1, 10'000'000));
  }
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(ended_.load(), 1'999u);
}

TEST_F(TimeLimit, DoesNotCountTheTimeInTheQueue) {
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(launch_limited({}, 1, 50'000));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 100), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  gate.open();
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_SUCCESS) << why();
}

TEST_F(TimeLimit, OfTheProcessHoldsForLaterKernelsThatHaveNoneOfTheirOwn) {
  ACL_OK(aclrtSetOpExecuteTimeOutWithMs(30));
  ACL_OK(launch({.wrong = Wrong::loop}, 1, stream_));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_TIMEOUT);
  ACL_OK(aclrtSetOpExecuteTimeOut(0));
  expect_launches_work();
}

TEST_F(TimeLimit, IsToldInMilliseconds) {
  uint32_t ms = 77;
  ACL_OK(aclrtGetOpExecuteTimeout(&ms));
  EXPECT_EQ(ms, 0u) << "no limit";
  ACL_OK(aclrtSetOpExecuteTimeOut(3));
  ACL_OK(aclrtGetOpExecuteTimeout(&ms));
  EXPECT_EQ(ms, 3'000u);
  ACL_OK(aclrtSetOpExecuteTimeOutWithMs(1'234));
  ACL_OK(aclrtGetOpExecuteTimeout(&ms));
  EXPECT_EQ(ms, 1'234u);
}

TEST_F(TimeLimit, V2RoundsUpToIntervals) {
  uint64_t interval = 0;
  ACL_OK(aclrtGetOpTimeOutInterval(&interval));
  ASSERT_GT(interval, 0u);
  uint64_t actual = 0;
  ACL_OK(aclrtSetOpExecuteTimeOutV2(1, &actual));
  EXPECT_EQ(actual, interval);
  ACL_OK(aclrtSetOpExecuteTimeOutV2(2 * interval, &actual));
  EXPECT_EQ(actual, 2 * interval);
  ACL_OK(aclrtSetOpExecuteTimeOutV2(~0ull, &actual));
  EXPECT_EQ(actual, 254 * interval);
}

TEST_F(TimeLimit, InBothUnitsAtOnceIs107000) {
  aclrtLaunchKernelAttr attributes[2] = {};
  attributes[0].id = ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT;
  attributes[0].value.timeout = 1;
  attributes[1].id = ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT_US;
  aclrtLaunchKernelCfg config{attributes, 2};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, launch({}, 1, stream_, "faulty_vector", &config));
  config.numAttrs = 1;
  ACL_OK(launch({}, 1, stream_, "faulty_vector", &config));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(TimeLimit, AnAbortedStreamLosesItsEndlessKernel) {
  ACL_OK(launch({.wrong = Wrong::loop, .others = Wrong::loop}, 2, stream_));
  ACL_OK(aclrtStreamAbort(stream_));
  expect_launches_work();
}

}  // namespace
}  // namespace canopy::test
