// Kernels of AI CPUs: of the program, of a described binary, and registered ones.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <vector>

namespace {

__global__ __aicore__ void tell_kind(uint32_t* out) { out[GetBlockIdx()] = canopy_core_kind(); }
CANOPY_KERNEL_AICPU(tell_kind)

struct Meeting {
  std::mutex mutex;
  std::condition_variable changed;
  uint32_t arrived = 0;
  uint32_t wanted = 0;
};

// Host code: a lock and a condition, which would hold an executor for good.
__global__ __aicore__ void meet(Meeting* meeting) {
  std::unique_lock lock(meeting->mutex);
  ++meeting->arrived;
  meeting->changed.notify_all();
  meeting->changed.wait(lock, [&] { return meeting->arrived >= meeting->wanted; });
}
CANOPY_KERNEL_AICPU(meet)

__global__ __aicore__ void wait_for_word(std::atomic<uint32_t>* word) {
  canopy_wait_until(
      [](void* p) -> int {
        return static_cast<int>(static_cast<std::atomic<uint32_t>*>(p)->load());
      },
      word, "a word");
}
CANOPY_KERNEL_AICPU(wait_for_word)

__global__ __aicore__ void fails() { canopy_assert(GetBlockIdx() != 1); }
CANOPY_KERNEL_AICPU(fails)
__global__ __aicore__ void synchronises() { SyncAll(); }
CANOPY_KERNEL_AICPU(synchronises)
__global__ __aicore__ void takes_buffer() { canopy_unified_buffer(nullptr); }
CANOPY_KERNEL_AICPU(takes_buffer)

__global__ __aicore__ void count(uint64_t* out) { ++*out; }
CANOPY_KERNEL(count)

}  // namespace

namespace canopy::test {
namespace {

aclrtBinaryLoadOption g_mode;

aclrtBinaryLoadOptions* cpu_mode(int mode) {
  static aclrtBinaryLoadOptions options;
  g_mode.type = ACL_RT_BINARY_LOAD_OPT_CPU_KERNEL_MODE;
  g_mode.value.cpuKernelMode = mode;
  options = {&g_mode, 1};
  return &options;
}

std::vector<char> contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class AiCpu : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    out_ = static_cast<uint64_t*>(zeroed_memory(4096));
  }
  static aclrtBinHandle from_file() {
    aclrtBinHandle binary = nullptr;
    EXPECT_EQ(aclrtBinaryLoadFromFile(TEST_AICPU_JSON, cpu_mode(1), &binary), ACL_SUCCESS) << why();
    return binary;
  }
  static aclrtBinHandle from_data() {
    const std::vector<char> data = contents(TEST_AICPU_KERNELS);
    aclrtBinHandle binary = nullptr;
    EXPECT_EQ(aclrtBinaryLoadFromData(data.data(), data.size(), cpu_mode(2), &binary), ACL_SUCCESS)
        << why();
    return binary;
  }
  void expect_scaled(aclrtFuncHandle function, uint64_t factor) {
    struct {
      uint64_t* out;
      uint64_t factor;
    } args{out_, factor};
    ACL_OK(aclrtLaunchKernelWithHostArgs(function, 20, stream_, nullptr, &args, sizeof args,
                                         nullptr, 0));
    ACL_OK(aclrtSynchronizeStream(stream_));
    for (uint64_t i = 0; i < 20; ++i) {
      EXPECT_EQ(out_[i], (i + 1) * factor);
    }
  }

  aclrtStream stream_ = nullptr;
  uint64_t* out_ = nullptr;
};

TEST_F(AiCpu, KernelsOfTheProgramRunEveryBlock) {
  auto* kinds = reinterpret_cast<uint32_t*>(out_);
  ACL_OK(launch(tell_kind, 100, stream_, kinds));
  ACL_OK(aclrtSynchronizeStream(stream_));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(kinds[i], CANOPY_CORE_AICPU);
  }
}

TEST_F(AiCpu, HasAsManyCoresAsTheDeviceSays) {
  int64_t cores = 0;
  ACL_OK(aclrtGetDeviceInfo(0, ACL_DEV_ATTR_AICPU_CORE_NUM, &cores));
  Meeting meeting;
  meeting.wanted = static_cast<uint32_t>(cores);
  ACL_OK(launch(meet, meeting.wanted, stream_, &meeting));  // all at once, or never
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(meeting.arrived, meeting.wanted);
}

TEST_F(AiCpu, HoldsNoExecutorWhileItWaits) {
  Meeting meeting;
  meeting.wanted = 2;
  aclrtStream other = nullptr;
  ACL_OK(aclrtCreateStream(&other));
  ACL_OK(launch(meet, 1, stream_, &meeting));
  for (int i = 0; i < 1000; ++i) {
    ACL_OK(launch(count, 1, other, out_));
  }
  ACL_OK(aclrtSynchronizeStream(other));
  EXPECT_EQ(*out_, 1000u);
  ACL_OK(launch(meet, 1, other, &meeting));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(AiCpu, RunsInStreamOrderWithOtherKernels) {
  std::atomic<uint32_t> word{0};
  ACL_OK(launch(wait_for_word, 1, stream_, &word));
  ACL_OK(launch(count, 1, stream_, out_));
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  EXPECT_EQ(*out_, 0u);
  word.store(1);
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(*out_, 1u);
}

TEST_F(AiCpu, DescribedBinariesGiveTheirKernelsByName) {
  aclrtBinHandle binary = from_file();
  aclrtFuncHandle scale = nullptr;
  ACL_OK(aclrtBinaryGetFunction(binary, "Scale", &scale));
  expect_scaled(scale, 7);
  aclrtFuncHandle again = nullptr;
  ACL_OK(aclrtBinaryGetFunction(binary, "Scale", &again));
  EXPECT_EQ(again, scale);
  char name[16];
  ACL_OK(aclrtGetFunctionName(scale, sizeof name, name));
  EXPECT_STREQ(name, "Scale");
  int64_t type = 0;
  ACL_OK(aclrtGetFunctionAttribute(scale, ACL_FUNC_ATTR_KERNEL_TYPE, &type));
  EXPECT_EQ(type, ACL_KERNEL_TYPE_AICPU);
  ACL_OK(aclrtBinaryUnLoad(binary));
}

TEST_F(AiCpu, AKernelThatIsNotDescribedOrHasNoFunctionIs100029) {
  aclrtBinHandle binary = from_file();
  aclrtFuncHandle function = kInvented;
  ACL_CODE(ACL_ERROR_KERNEL_NOT_FOUND, aclrtBinaryGetFunction(binary, "Other", &function));
  ACL_CODE(ACL_ERROR_KERNEL_NOT_FOUND, aclrtBinaryGetFunction(binary, "Absent", &function));
  EXPECT_EQ(function, kInvented);
}

TEST_F(AiCpu, BinariesFromMemoryRegisterTheirFunctions) {
  aclrtBinHandle binary = from_data();
  aclrtFuncHandle scale = nullptr;
  ACL_OK(aclrtRegisterCpuFunc(binary, "RunScale", "MyScale", &scale));
  expect_scaled(scale, 3);
  aclrtFuncHandle by_name = nullptr;
  ACL_OK(aclrtBinaryGetFunction(binary, "MyScale", &by_name));
  EXPECT_EQ(by_name, scale);
  aclrtFuncHandle function = nullptr;
  ACL_CODE(ACL_ERROR_KERNEL_NOT_FOUND, aclrtRegisterCpuFunc(binary, "Nothing", "N", &function));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtRegisterCpuFunc(binary, "Refuse", "MyScale", &function));
}

TEST_F(AiCpu, RegisteringInAnotherBinaryIs107000) {
  aclrtBinHandle binary = nullptr;
  ACL_OK(aclrtBinaryLoadFromFile(TEST_KERNELS, nullptr, &binary));
  aclrtFuncHandle function = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtRegisterCpuFunc(binary, "RunScale", "Scale", &function));
}

TEST_F(AiCpu, AFunctionThatReturnsNotZeroIs507018) {
  aclrtFuncHandle refuse = nullptr;
  ACL_OK(aclrtBinaryGetFunction(from_file(), "Refuse", &refuse));
  uint32_t answer = 12;
  ACL_OK(aclrtLaunchKernelWithHostArgs(refuse, 1, stream_, nullptr, &answer, sizeof answer, nullptr,
                                       0));
  ASSERT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_AICPU_EXCEPTION);
  EXPECT_NE(std::string(why()).find("returned 12"), std::string::npos);
  answer = 0;
  ACL_OK(aclrtLaunchKernelWithHostArgs(refuse, 1, stream_, nullptr, &answer, sizeof answer, nullptr,
                                       0));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(AiCpu, AFailedAssertionIs507018AndTheStreamGoesOn) {
  for (int i = 0; i < 20; ++i) {
    ACL_OK(launch(fails, 3, stream_));
    ACL_OK(launch(tell_kind, 1, stream_, reinterpret_cast<uint32_t*>(out_)));
    ACL_CODE(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(stream_));
    ACL_OK(aclrtSynchronizeStream(stream_));
  }
}

TEST_F(AiCpu, SyncAllAndTheUnifiedBufferFailTheTask) {
  ACL_OK(launch(synchronises, 2, stream_));
  ACL_CODE(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(stream_));
  ACL_OK(launch(takes_buffer, 1, stream_));
  ACL_CODE(ACL_ERROR_RT_AICPU_EXCEPTION, aclrtSynchronizeStream(stream_));
}

TEST_F(AiCpu, ModesThatDoNotFitTheWayOfLoadingAreRefused) {
  const std::vector<char> data = contents(TEST_AICPU_KERNELS);
  aclrtBinHandle binary = kInvented;
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
           aclrtBinaryLoadFromFile(TEST_AICPU_JSON, cpu_mode(0), &binary));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtBinaryLoadFromFile(TEST_AICPU_JSON, cpu_mode(2), &binary));
  for (int mode : {0, 1, 3, -1}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtBinaryLoadFromData(data.data(), data.size(), cpu_mode(mode), &binary));
  }
  EXPECT_EQ(binary, kInvented);
}

TEST_F(AiCpu, DescriptionsThatAreNoneAre100006) {
  const std::string path =
      testing::TempDir() + "canopy-description-" + std::to_string(getpid()) + ".json";
  aclrtBinHandle binary = kInvented;
  for (const char* text :
       {"", "[]", "{\"a\": 1}", "{\"a\": {}}", "{\"a\": {\"opInfo\": {\"functionName\": 3}}}"}) {
    std::ofstream(path) << text;
    ACL_CODE(ACL_ERROR_PARSE_FILE, aclrtBinaryLoadFromFile(path.c_str(), cpu_mode(1), &binary));
  }
  std::ofstream(path) << "{}";
  ACL_CODE(ACL_ERROR_RT_FILE_OPEN, aclrtBinaryLoadFromFile(path.c_str(), cpu_mode(1), &binary))
      << "no library beside";
  std::remove(path.c_str());
  ACL_CODE(ACL_ERROR_RT_FILE_OPEN, aclrtBinaryLoadFromFile(path.c_str(), cpu_mode(1), &binary));
}

TEST_F(AiCpu, TellsNothingOfParametersItDoesNotKnow) {
  aclrtFuncHandle scale = nullptr;
  ACL_OK(aclrtBinaryGetFunction(from_file(), "Scale", &scale));
  size_t count = 0;
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtFunctionGetParamCount(scale, &count));
  void* args[2] = {nullptr, nullptr};
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
           aclrtLaunchKernelWithArgsArray(scale, 1, stream_, nullptr, args));
}

TEST_F(AiCpu, TakesArgumentsInSlotsOfEightBytes) {
  aclrtFuncHandle scale = nullptr;
  ACL_OK(aclrtBinaryGetFunction(from_file(), "Scale", &scale));
  aclrtArgsHandle args = nullptr;
  aclrtParamHandle parameter = nullptr;
  uint32_t factor = 9;
  ACL_OK(aclrtKernelArgsInit(scale, &args));
  ACL_OK(aclrtKernelArgsAppend(args, &out_, sizeof out_, &parameter));
  ACL_OK(aclrtKernelArgsAppend(args, &factor, sizeof factor, &parameter));
  uint32_t upper = 0;
  ACL_OK(aclrtKernelArgsAppend(args, &upper, sizeof upper, &parameter));
  ACL_OK(aclrtKernelArgsFinalize(args));
  ACL_OK(aclrtLaunchKernelWithConfig(scale, 4, stream_, nullptr, args, nullptr));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(out_[3], 36u);
}

}  // namespace
}  // namespace canopy::test
