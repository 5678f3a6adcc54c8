// Kernels that trap: the task fails with its code and a sentence, and nothing else does.
#include "tests/unit/api/faults.h"

#include "canopy/kernel.h"

#include <unistd.h>

#include <cfenv>
#include <csignal>
#include <fstream>
#include <vector>

namespace {

// Whether a system call of the kernel's own was cut short, by block.
__global__ __aicore__ void sleeps_well(GM_ADDR cut) {
  cut[canopy_block_idx()] = ::usleep(50'000) == 0 ? 1 : 2;
}
CANOPY_KERNEL(sleeps_well)

}  // namespace

namespace canopy::test {
namespace {

struct Case {
  const char* name;
  Wrong wrong;
  bool trap;  // the trap codes; else those of exceptions
  const char* sentence;
  bool needs_libc = false;  // its leaf functions, which are a sanitizer's own in such a build
};

constexpr Case kCases[] = {
    {"WriteToNull", Wrong::write_null, false, "wrote to 0x0, where no memory is, at "},
    {"ReadOfAnImpossibleAddress", Wrong::read_wild, false, "used an address that no memory can have, or "},
    {"ReadOfAnImpossibleAddressOnTheStack", Wrong::read_wild_stack, false, "used an address that no memory can have, or "},
    {"ReadOfAMisalignedVector", Wrong::read_misaligned, false, " (the processor does not say which), at "},
    {"CallOfNull", Wrong::call_null, false, "jumped to 0x0, where no memory is, at "},
    {"DivisionByZero", Wrong::divide_by_zero, false, "divided an integer by zero, or the smallest one by -1 at "},
    {"IllegalInstruction", Wrong::illegal_instruction, true, "ran an illegal or trapping instruction at "},
    {"StackOverflow", Wrong::overflow_stack, false, "overflowed its stack of "},
    {"LargeArrayOnTheStack", Wrong::large_array_on_stack, false, "overflowed its stack of "},
    {"Assert", Wrong::fail_assert, true, "called abort(), itself or by a failed assert()"},
    {"Abort", Wrong::call_abort, true, "called abort(), itself or by a failed assert()"},
    {"CanopyAssert", Wrong::fail_canopy_assert, true, "failed its assertion 'zero == 1' at "},
    {"Exception", Wrong::throw_exception, true, "threw an exception: no more of it"},
    {"EndOfItsThread", Wrong::end_thread, true, "called pthread_exit(): kernels return, their threads are the runtime's"},
    {"BrokenNoexcept", Wrong::break_noexcept, true, "called abort(), itself or by a failed assert()", true},
    {"CopyFromNull", Wrong::copy_from_null, false, ", where no memory is, at ", true},
    {"FillOfNull", Wrong::fill_null, false, "wrote to 0x", true},
    {"LengthOfNull", Wrong::length_of_null, false, "read 0x0, where no memory is, at ", true},
};

class Fault : public Faults, public testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    if (kSanitized && GetParam().needs_libc) {
      GTEST_SKIP() << "sanitizer: memcpy, throw and the like are its own functions, whose faults end the process";
    }
    Faults::SetUp();
  }
  aclError code(bool vector) const {
    if (GetParam().trap) {
      return vector ? ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION : ACL_ERROR_RT_AICORE_TRAP_EXCEPTION;
    }
    return vector ? ACL_ERROR_RT_VECTOR_CORE_EXCEPTION : ACL_ERROR_RT_AICORE_EXCEPTION;
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, Fault, testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST_P(Fault, FailsItsTaskWithASentenceAndTheNextThousandLaunchesWork) {
  ACL_OK(launch(GetParam().wrong));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), code(true));
  const std::string sentence = why();
  EXPECT_NE(sentence.find(GetParam().sentence), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("kernel faulty_vector block 0 of 1 "), std::string::npos) << sentence;
  EXPECT_EQ(ended_.load(), 0u);
  expect_launches_work();
}

TEST_P(Fault, NamesTheKindOfCore) {
  for (const char* kernel : {"faulty_cube", "faulty_mix"}) {
    ACL_OK(launch({.wrong = GetParam().wrong}, 1, stream_, kernel));
    EXPECT_EQ(aclrtSynchronizeStream(stream_), code(false)) << kernel;
  }
}

TEST_P(Fault, OfAllBlocksOfManyLaunchesIsSurvived) {
  const int rounds = kSanitized ? 5 : 30;
  for (int round = 0; round < rounds; ++round) {
    ACL_OK(launch({.wrong = GetParam().wrong, .others = GetParam().wrong}, 48, stream_));
    ASSERT_EQ(aclrtSynchronizeStream(stream_), code(true)) << why();
  }
  EXPECT_EQ(ended_.load(), 0u);
  expect_launches_work(20, 48);
}

TEST_P(Fault, LeavesOtherStreamsAndDevicesAlone) {
  aclrtStream neighbour = nullptr;
  aclrtStream elsewhere = nullptr;
  ACL_OK(aclrtCreateStream(&neighbour));
  ACL_OK(aclrtSetDevice(1));
  ACL_OK(aclrtCreateStream(&elsewhere));
  for (int i = 0; i < 100; ++i) {
    ACL_OK(aclrtSetDevice(0));
    if (i % 10 == 0) {
      ACL_OK(launch({.wrong = GetParam().wrong}, 4, stream_));
    }
    ACL_OK(launch({}, 2, neighbour));
    ACL_OK(aclrtSetDevice(1));
    ACL_OK(launch({}, 2, elsewhere));
  }
  EXPECT_EQ(aclrtSynchronizeStream(elsewhere), ACL_SUCCESS) << why();
  ACL_OK(aclrtSetDevice(0));
  EXPECT_EQ(aclrtSynchronizeStream(neighbour), ACL_SUCCESS) << why();
  EXPECT_EQ(aclrtSynchronizeStream(stream_), code(true));
  EXPECT_GE(ended_.load(), 400u);
}

// What the kernel says of this process: "Threads:" is a count, "VmRSS:" is KiB.
long told_by_proc(const std::string& what) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == what) {
      long value = -1;
      status >> value;
      return value;
    }
  }
  return -1;
}

// Its unwinding runs destructors, and stops where the kernel began.
TEST_F(Faults, OfAThousandKernelsThatEndTheirThreadLeaveTheThreadsAsTheyWere) {
  const auto rounds = [&](int count) {
    for (const char* kernel : {"faulty_vector", "faulty_aicpu"}) {
      for (int i = 0; i < count; ++i) {
        ACL_OK(launch({.wrong = Wrong::end_thread}, 1, stream_, kernel));
        ASSERT_NE(aclrtSynchronizeStream(stream_), ACL_SUCCESS);
        ASSERT_NE(std::string(why()).find("called pthread_exit()"), std::string::npos) << why();
        ACL_OK(launch({.wrong = Wrong::throw_exception}, 1, stream_, kernel));
        ASSERT_NE(aclrtSynchronizeStream(stream_), ACL_SUCCESS);
        ASSERT_NE(std::string(why()).find("threw an exception: no more of it"), std::string::npos) << why();
      }
    }
  };
  rounds(50);
  const long threads = told_by_proc("Threads:");
  const long kibibytes = told_by_proc("VmRSS:");
  rounds(1'000);
  EXPECT_EQ(word_.load(), 2'100u);
  EXPECT_EQ(told_by_proc("Threads:"), threads);
  EXPECT_LT(told_by_proc("VmRSS:"), kibibytes + (kSanitized ? 65'536 : 2'048));
  expect_launches_work();
}

TEST_F(Faults, LeaveTheSystemCallsOfOtherLaunchesAlone) {
  constexpr uint32_t kBlocks = 4;
  uint8_t* slept = nullptr;
  ACL_OK(aclrtMalloc(reinterpret_cast<void**>(&slept), kBlocks, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(canopy::launch(sleeps_well, kBlocks, stream_, slept));
  ACL_OK(aclrtSetDevice(1));
  aclrtStream elsewhere = nullptr;
  ACL_OK(aclrtCreateStream(&elsewhere));
  for (int i = 0; i < 20; ++i) {
    // The other block of the launch has to be interrupted.
    ACL_OK(launch({.wrong = Wrong::call_abort, .block = 0, .others = Wrong::loop}, 2, elsewhere));
    EXPECT_EQ(aclrtSynchronizeStream(elsewhere), ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION);
  }
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtSynchronizeStream(stream_));
  for (uint32_t block = 0; block < kBlocks; ++block) {
    EXPECT_EQ(slept[block], 1) << block;
  }
  ACL_OK(aclrtFree(slept));
}

// ---- What becomes of the other blocks.

class FaultOfOneBlock : public Faults, public testing::WithParamInterface<Wrong> {};
INSTANTIATE_TEST_SUITE_P(Others, FaultOfOneBlock,
                         testing::Values(Wrong::nothing, Wrong::loop, Wrong::loop_calling, Wrong::loop_yielding,
                                         Wrong::loop_printing, Wrong::wait_for_word, Wrong::wait_for_flag,
                                         Wrong::sync_all_alone, Wrong::spin_on_word));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
INSTANTIATE_TEST_SUITE_P(OthersInLibc, FaultOfOneBlock,
                         testing::Values(Wrong::loop_sleeping, Wrong::loop_formatting, Wrong::loop_throwing,
                                         Wrong::loop_starting_threads));
#endif

TEST_P(FaultOfOneBlock, EndsTheOthers) {
  for (int round = 0; round < 3; ++round) {
    ACL_OK(launch({.wrong = Wrong::write_null, .block = 2, .others = GetParam()}, 4, stream_));
    ASSERT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION) << why();
    expect_launches_work(100, 4);
  }
}

// Blocks that abort while they are told to end: both signals come at once.
TEST_F(Faults, ABlockThatWasInterruptedInItsAbortLeavesAnExecutorThatCanBeInterrupted) {
  for (int round = 0; round < 5000; ++round) {
    ACL_OK(launch({.wrong = Wrong::call_abort, .others = Wrong::call_abort}, 8, stream_));
    ASSERT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION) << why();
  }
  ACL_OK(launch({.wrong = Wrong::write_null, .block = 2, .others = Wrong::loop}, 4, stream_));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION) << why();
}

TEST_F(Faults, BlocksThatHaveNotStartedDoNotStart) {
  ACL_OK(launch({.wrong = Wrong::write_null, .others = Wrong::nothing}, 60'000, stream_));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
  EXPECT_LT(started_.load(), 60'000u);
}

TEST_F(Faults, TheFirstBlockToFailTells) {
  ACL_OK(launch({.wrong = Wrong::write_null, .block = 1, .others = Wrong::wait_for_flag}, 3, stream_));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_VECTOR_CORE_EXCEPTION);
  const std::string sentence = why();
  EXPECT_NE(sentence.find("block 1 of 3"), std::string::npos) << sentence;
  EXPECT_EQ(sentence.find('\n'), std::string::npos) << sentence;
}

// ---- What is not the kernel's fault ends the process, as without us.

using FaultDeathTest = Faults;

TEST_F(FaultDeathTest, InHostCodeTakesTheDefaultAction) {
  if (!kSanitized) {  // whose report ends the process with an exit code
    EXPECT_EXIT(
        {
          int* volatile nowhere = nullptr;
          *nowhere = 1;
        },
        testing::KilledBySignal(SIGSEGV), "");
  }
  EXPECT_EXIT(std::abort(), testing::KilledBySignal(SIGABRT), "");
  if (!kSanitized) {
    EXPECT_EXIT(std::raise(SIGFPE), testing::KilledBySignal(SIGFPE), "");
  }
}

}  // namespace
}  // namespace canopy::test
