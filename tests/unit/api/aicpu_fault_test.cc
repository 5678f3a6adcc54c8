// AI CPU kernels that trap: as kernels of other cores, each fails its task, and nothing else does.
#include "tests/unit/api/faults.h"

#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace canopy::test {
namespace {

struct Case {
  const char* name;
  Wrong wrong;
  const char* sentence;
  bool needs_libc = false;  // its leaf functions, which are a sanitizer's own in such a build
};

constexpr Case kCases[] = {
    {"WriteToNull", Wrong::write_null, "wrote to 0x0, where no memory is, at "},
    {"ReadOfAnImpossibleAddress", Wrong::read_wild, "used an address that no memory can have, or "},
    {"ReadOfAnImpossibleAddressOnTheStack", Wrong::read_wild_stack, "used an address that no memory can have, or "},
    {"ReadOfAMisalignedVector", Wrong::read_misaligned, " (the processor does not say which), at "},
    {"DivisionByZero", Wrong::divide_by_zero, "divided an integer by zero, or the smallest one by -1 at "},
    {"IllegalInstruction", Wrong::illegal_instruction,
     "ran an illegal or trapping instruction at "},
    {"StackOverflow", Wrong::overflow_stack, "overflowed its stack of "},
    {"Assert", Wrong::fail_assert, "called abort(), itself or by a failed assert()"},
    {"Abort", Wrong::call_abort, "called abort(), itself or by a failed assert()"},
    {"CanopyAssert", Wrong::fail_canopy_assert, "failed its assertion 'zero == 1' at "},
    {"Exception", Wrong::throw_exception, "threw an exception: no more of it"},
    {"EndOfItsThread", Wrong::end_thread, "called pthread_exit(): kernels return, their threads are the runtime's"},
    {"BrokenNoexcept", Wrong::break_noexcept, "called abort(), itself or by a failed assert()",
     true},
    {"CopyFromNull", Wrong::copy_from_null, ", where no memory is, at ", true},
    {"FillOfNull", Wrong::fill_null, "wrote to 0x", true},
    {"LengthOfNull", Wrong::length_of_null, "read 0x0, where no memory is, at ", true},
};

constexpr const char* kKernel = "faulty_aicpu";

class AiCpuFault : public Faults, public testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    if (kSanitized && GetParam().needs_libc) {
      GTEST_SKIP() << "sanitizer: memcpy, throw and the like are its own functions, whose faults "
                      "end the process";
    }
    Faults::SetUp();
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, AiCpuFault, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST_P(AiCpuFault, FailsItsTaskWithASentenceAndTheNextThousandLaunchesWork) {
  ACL_OK(launch({.wrong = GetParam().wrong}, 1, stream_, kKernel));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_AICPU_EXCEPTION);
  const std::string sentence = why();
  EXPECT_NE(sentence.find(GetParam().sentence), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("kernel faulty_aicpu block 0 of 1 "), std::string::npos) << sentence;
  EXPECT_EQ(ended_.load(), 0u);
  for (int i = 0; i < 1'000; ++i) {
    ACL_OK(launch({}, 2, stream_, kKernel));
  }
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(ended_.load(), 2'000u);
  expect_launches_work();
}

TEST_P(AiCpuFault, OfAllBlocksOfManyLaunchesIsSurvived) {
  const int rounds = kSanitized ? 5 : 30;
  for (int round = 0; round < rounds; ++round) {
    ACL_OK(launch({.wrong = GetParam().wrong, .others = GetParam().wrong}, 48, stream_, kKernel));
    ASSERT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_AICPU_EXCEPTION) << why();
  }
  EXPECT_EQ(ended_.load(), 0u);
  ACL_OK(launch({}, 48, stream_, kKernel));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(ended_.load(), 48u);
}

// ---- What becomes of the other blocks.

class AiCpuFaultOfOneBlock : public Faults, public testing::WithParamInterface<Wrong> {};
INSTANTIATE_TEST_SUITE_P(Others, AiCpuFaultOfOneBlock,
                         testing::Values(Wrong::loop, Wrong::loop_calling, Wrong::loop_yielding,
                                         Wrong::loop_printing, Wrong::wait_for_word,
                                         Wrong::wait_for_flag, Wrong::spin_on_word));

TEST_P(AiCpuFaultOfOneBlock, EndsTheOthers) {
  int64_t cores = 0;
  ACL_OK(aclrtGetDeviceInfo(0, ACL_DEV_ATTR_AICPU_CORE_NUM, &cores));
  const auto blocks = static_cast<uint32_t>(cores);
  for (int round = 0; round < 3; ++round) {
    ACL_OK(launch({.wrong = Wrong::write_null, .block = blocks - 1, .others = GetParam()}, blocks,
                  stream_, kKernel));
    ASSERT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_AICPU_EXCEPTION) << why();
    ACL_OK(launch({}, blocks, stream_, kKernel));
    ASSERT_EQ(aclrtSynchronizeStream(stream_), ACL_SUCCESS) << why();
  }
}

TEST_P(AiCpuFaultOfOneBlock, PastItsTimeLimitIs507017) {
  aclrtLaunchKernelAttr limit{};
  limit.id = ACL_RT_LAUNCH_KERNEL_ATTR_TIMEOUT_US;
  limit.value.timeoutUs.timeoutLow = 2'000;
  aclrtLaunchKernelCfg config{&limit, 1};
  ACL_OK(launch({.wrong = GetParam(), .others = GetParam()}, 2, stream_, kKernel, &config));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_AICPU_TIMEOUT) << why();
  EXPECT_EQ(ended_.load(), 0u);
  expect_launches_work(10);
}

TEST_P(AiCpuFaultOfOneBlock, EndsWithAnAbortOfItsStream) {
  ACL_OK(launch({.wrong = GetParam(), .others = GetParam()}, 2, stream_, kKernel));
  while (started_.load() == 0) {
  }
  ACL_OK(aclrtStreamAbort(stream_));
  expect_launches_work(10);
}

TEST_F(Faults, OfARegisteredAiCpuFunctionIsTheSame) {
  std::ifstream file(TEST_FAULTY_KERNELS, std::ios::binary);
  const std::vector<char> data{std::istreambuf_iterator<char>(file),
                               std::istreambuf_iterator<char>()};
  aclrtBinaryLoadOption mode{};
  mode.type = ACL_RT_BINARY_LOAD_OPT_CPU_KERNEL_MODE;
  mode.value.cpuKernelMode = 2;
  aclrtBinaryLoadOptions options{&mode, 1};
  aclrtBinHandle binary = nullptr;
  ACL_OK(aclrtBinaryLoadFromData(data.data(), data.size(), &options, &binary));
  aclrtFuncHandle faulty = nullptr;
  ACL_OK(aclrtRegisterCpuFunc(binary, "faulty_function", "Faulty", &faulty));
  FaultArgs args{.wrong = Wrong::write_null, .started = &started_, .ended = &ended_};
  for (int i = 0; i < 20; ++i) {
    args.wrong = i % 2 == 0 ? Wrong::write_null : Wrong::nothing;
    ACL_OK(
        aclrtLaunchKernelWithHostArgs(faulty, 1, stream_, nullptr, &args, sizeof args, nullptr, 0));
    EXPECT_EQ(aclrtSynchronizeStream(stream_),
              i % 2 == 0 ? ACL_ERROR_RT_AICPU_EXCEPTION : ACL_SUCCESS)
        << why();
  }
  EXPECT_EQ(ended_.load(), 10u);
  ACL_OK(aclrtBinaryUnLoad(binary));
}

using AiCpuFaultDeathTest = Faults;

// It holds a lock of libc there, which nobody would ever give back.
TEST_F(AiCpuFaultDeathTest, InsideOfLibcEndsTheProcess) {
  if (kSanitized) {
    GTEST_SKIP() << "the sanitizer's report ends the process";
  }
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // executors do not survive a fork
  EXPECT_EXIT(
      {
        static_cast<void>(launch({.wrong = Wrong::print_null_in_libc}, 1, stream_, kKernel));
        static_cast<void>(aclrtSynchronizeStream(stream_));
      },
      testing::KilledBySignal(SIGSEGV), "which is not the kernel's own code");
}

}  // namespace
}  // namespace canopy::test
