// Floating-point overflow: modes of devices, what raises the status, how it is asked and reset.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <cstring>
#include <functional>
#include <thread>
#include <vector>

namespace {

__global__ __aicore__ void overflows() { canopy_raise_overflow(); }
CANOPY_KERNEL(overflows)
__global__ __aicore__ void computes() {}
CANOPY_KERNEL(computes)
__global__ __aicore__ void tell_mode(uint32_t* out) {
  *out = static_cast<uint32_t>(canopy_saturates());
}
CANOPY_KERNEL(tell_mode)
__global__ __aicore__ void read_word(uint32_t* out, uint32_t* word) { *out = *word; }
CANOPY_KERNEL(read_word)

}  // namespace

namespace canopy::test {
namespace {

class Overflow : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    out_ = static_cast<uint32_t*>(zeroed_memory(4096));
    ACL_OK(aclrtSetStreamOverflowSwitch(stream_, 1));
  }
  // In the order of `stream`.
  uint32_t status(aclrtStream stream) {
    EXPECT_EQ(aclrtMemset(out_, 128, 0xEE, 128), ACL_SUCCESS);
    EXPECT_EQ(aclrtGetOverflowStatus(out_, 64, stream), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS);
    for (int i = 1; i < 16; ++i) {
      EXPECT_EQ(out_[i], 0u);
    }
    EXPECT_EQ(out_[16], 0xEEEEEEEE);
    return out_[0];
  }
  aclrtStream stream_ = nullptr;
  uint32_t* out_ = nullptr;
};

TEST_F(Overflow, OfAKernelIsSeenUntilItIsReset) {
  EXPECT_EQ(status(stream_), 0u);
  ACL_OK(launch(computes, 4, stream_));
  EXPECT_EQ(status(stream_), 0u);
  ACL_OK(launch(overflows, 4, stream_));
  EXPECT_NE(status(stream_), 0u);
  EXPECT_NE(status(stream_), 0u) << "asking does not reset";
  ACL_OK(aclrtResetOverflowStatus(stream_));
  EXPECT_EQ(status(stream_), 0u);
}

TEST_F(Overflow, IsOfAllStreamsOfTheDeviceAndOfNoOtherDevice) {
  aclrtStream other = nullptr;
  ACL_OK(aclrtCreateStream(&other));
  ACL_OK(launch(overflows, 1, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_NE(status(other), 0u);
  ACL_OK(aclrtSetDevice(1));
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtGetOverflowStatus(memory, 64, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(*static_cast<uint32_t*>(memory), 0u);
}

TEST_F(Overflow, IsForgottenWithTheDevice) {
  ACL_OK(launch(overflows, 1, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(aclFinalize());
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclrtSetDevice(0));
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, 4096, ACL_MEM_MALLOC_HUGE_FIRST));
  out_ = static_cast<uint32_t*>(memory);
  EXPECT_EQ(status(nullptr), 0u);
}

TEST_F(Overflow, CountsOnStreamsWithTheSwitchOnAndForLaterTasksOnly) {
  aclrtStream silent = nullptr;
  ACL_OK(aclrtCreateStream(&silent));
  ACL_OK(launch(overflows, 1, silent));
  EXPECT_EQ(status(silent), 0u);
  Gate gate;
  ACL_OK(gate.close(silent));
  ACL_OK(launch(overflows, 1, silent));
  ACL_OK(aclrtSetStreamOverflowSwitch(silent, 1));
  gate.open();
  EXPECT_EQ(status(silent), 0u);
  ACL_OK(launch(overflows, 1, silent));
  EXPECT_NE(status(silent), 0u);
}

TEST_F(Overflow, OfAReductionCountsToo) {
  auto* halves = reinterpret_cast<uint16_t*>(out_ + 100);
  auto* more = halves + 64;
  for (int i = 0; i < 8; ++i) {
    halves[i] = more[i] = aclFloatToFloat16(40000);
  }
  ACL_OK(aclrtReduceAsync(halves, more, 16, ACL_RT_MEMCPY_SDMA_AUTOMATIC_MAX, ACL_FLOAT16, stream_,
                          nullptr));
  EXPECT_EQ(status(stream_), 0u);
  ACL_OK(aclrtReduceAsync(halves, more, 16, ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM, ACL_FLOAT16, stream_,
                          nullptr));
  EXPECT_NE(status(stream_), 0u);
  EXPECT_EQ(halves[7], 0x7C00) << "infinite: the mode that devices begin with";
}

TEST_F(Overflow, SaturationHoldsForStreamsCreatedLater) {
  aclrtFloatOverflowMode mode = ACL_RT_OVERFLOW_MODE_UNDEF;
  ACL_OK(aclrtGetDeviceSatMode(&mode));
  EXPECT_EQ(mode, ACL_RT_OVERFLOW_MODE_INFNAN);
  ACL_OK(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_SATURATION));
  ACL_OK(aclrtGetDeviceSatMode(&mode));
  EXPECT_EQ(mode, ACL_RT_OVERFLOW_MODE_SATURATION);
  aclrtStream later = nullptr;
  ACL_OK(aclrtCreateStream(&later));
  ACL_OK(launch(tell_mode, 1, stream_, out_));
  ACL_OK(launch(tell_mode, 1, later, out_ + 1));
  ACL_OK(aclrtSynchronizeDevice());
  EXPECT_EQ(out_[0], 0u);
  EXPECT_EQ(out_[1], 1u);
  ACL_OK(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_INFNAN));
  ACL_OK(launch(tell_mode, 1, later, out_ + 1));
  ACL_OK(aclrtSynchronizeStream(later));
  EXPECT_EQ(out_[1], 1u) << "the stream keeps its mode";
}

TEST_F(Overflow, SaturatesReductionsOfEveryFloatingType) {
  ACL_OK(aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_SATURATION));
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  const struct {
    aclDataType type;
    size_t bytes;
    uint32_t large;
    uint32_t largest;
  } rows[] = {{ACL_FLOAT16, 2, 0xFBFF, 0xFBFF},
              {ACL_BF16, 2, 0x7F7F, 0x7F7F},
              {ACL_FLOAT, 4, 0x7F7FFFFF, 0x7F7FFFFF}};
  for (const auto& row : rows) {
    std::memcpy(out_, &row.large, row.bytes);
    std::memcpy(out_ + 16, &row.large, row.bytes);
    ACL_OK(aclrtReduceAsync(out_, out_ + 16, row.bytes, ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM, row.type,
                            stream, nullptr));
    ACL_OK(aclrtSynchronizeStream(stream));
    uint32_t got = 0;
    std::memcpy(&got, out_, row.bytes);
    EXPECT_EQ(got, row.largest) << row.type;
  }
  EXPECT_EQ(status(stream), 0u) << "its switch is off";
}

TEST_F(Overflow, EveryWayToAskAndToResetSeesTheSameWord) {
  const std::vector<std::function<aclError()>> resets = {
      [&] { return aclrtResetOverflowStatus(stream_); },
      [&] { return aclrtResetFloatOverflowStatus(stream_); },
      [&] { return aclrtNpuClearFloatOverFlowStatus(0, stream_); },
      [&] { return aclrtNpuClearFloatOverFlowStatus(1, stream_); }};
  void* word = nullptr;
  ACL_OK(aclrtCtxGetFloatOverflowAddr(&word));
  for (const auto& reset : resets) {
    ACL_OK(launch(overflows, 1, stream_));
    ACL_OK(aclrtGetFloatOverflowStatus(out_, 64, stream_));
    ACL_OK(aclrtNpuGetFloatOverFlowStatus(out_ + 16, 64, 0, stream_));
    ACL_OK(aclrtNpuGetFloatOverFlowStatus(out_ + 32, 8, 1, stream_));
    ACL_OK(launch(read_word, 1, stream_, out_ + 48, static_cast<uint32_t*>(word)));
    ACL_OK(aclrtSynchronizeStream(stream_));
    for (int at : {0, 16, 32, 48}) {
      EXPECT_NE(out_[at], 0u) << at;
    }
    ACL_OK(reset());
    EXPECT_EQ(status(stream_), 0u);
  }
}

TEST_F(Overflow, WrongArgumentsAreRefused) {
  uint32_t host[16] = {};
  for (const auto mode : {ACL_RT_OVERFLOW_MODE_UNDEF, static_cast<aclrtFloatOverflowMode>(3)}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetDeviceSatMode(mode));
  }
  for (const size_t size : {size_t{0}, size_t{63}, size_t{65}}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetOverflowStatus(out_, size, stream_));
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetOverflowStatus(host, 64, stream_)) << "host memory";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetFloatOverflowStatus(out_, 65, stream_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtNpuGetFloatOverFlowStatus(out_, 64, 2, stream_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtNpuClearFloatOverFlowStatus(2, stream_));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetDeviceSatMode(nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetOverflowStatus(nullptr, 64, stream_));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetFloatOverflowStatus(nullptr, 64, stream_));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtNpuGetFloatOverFlowStatus(nullptr, 64, 0, stream_));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtCtxGetFloatOverflowAddr(nullptr));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtGetOverflowStatus(out_, 64, kInvented));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtResetOverflowStatus(kInvented));
  std::thread([&] {
    void* word = nullptr;
    aclrtFloatOverflowMode mode;
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtSetDeviceSatMode(ACL_RT_OVERFLOW_MODE_INFNAN));
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetDeviceSatMode(&mode));
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtCtxGetFloatOverflowAddr(&word));
  }).join();
}

}  // namespace
}  // namespace canopy::test
