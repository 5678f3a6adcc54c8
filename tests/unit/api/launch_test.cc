// Launches: what is refused, how arguments travel, back-pressure.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

namespace {

__global__ __aicore__ void add_to(GM_ADDR out, uint64_t value) {
  auto* cell = reinterpret_cast<__gm__ std::atomic<uint64_t>*>(out);
  cell->fetch_add(value, std::memory_order_relaxed);
}
CANOPY_KERNEL(add_to)

__global__ __aicore__ void no_arguments() {}
CANOPY_KERNEL(no_arguments)

__global__ __aicore__ void mixed_widths(uint8_t a, uint64_t b, uint16_t c, float d, double e, GM_ADDR out) {
  auto* sum = reinterpret_cast<__gm__ double*>(out);
  *sum = a + static_cast<double>(b) + c + static_cast<double>(d) + e;
}
CANOPY_KERNEL(mixed_widths)

// Sums `bytes` bytes that lie in the same blob, behind its header.
__global__ __aicore__ void sum_blob(GM_ADDR out, GM_ADDR data, uint64_t bytes) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < bytes; ++i) {
    sum += data[i];
  }
  *reinterpret_cast<__gm__ uint64_t*>(out) += sum;
}
CANOPY_KERNEL(sum_blob)

__global__ __aicore__ void fails_on_vector() { canopy_assert(GetBlockIdx() != 0); }
CANOPY_KERNEL(fails_on_vector)
__global__ __aicore__ void fails_on_cube() { canopy_assert(false); }
CANOPY_KERNEL_CUBE(fails_on_cube)

void not_a_kernel() {}

}  // namespace

namespace canopy::test {
namespace {

class Launch : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtMalloc(&memory_, 4096, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMemset(memory_, 4096, 0, 4096));
    ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&add_to), &add_));
    ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&sum_blob), &sum_));
  }
  GM_ADDR out() { return static_cast<GM_ADDR>(memory_); }
  uint64_t value() {
    uint64_t result = 0;
    EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtMemcpy(&result, 8, memory_, 8, ACL_MEMCPY_DEVICE_TO_HOST), ACL_SUCCESS);
    return result;
  }
  struct AddArgs {
    void* out;
    uint64_t value;
  };

  aclrtStream stream_ = nullptr;
  void* memory_ = nullptr;
  aclrtFuncHandle add_ = nullptr;
  aclrtFuncHandle sum_ = nullptr;
};

TEST_F(Launch, ByTypedHelperRunsEveryBlock) {
  ACL_OK(launch(add_to, 20, stream_, out(), 3));
  EXPECT_EQ(value(), 60u);
}

TEST_F(Launch, PassesParametersOfAllWidths) {
  ACL_OK(launch(mixed_widths, 1, stream_, 1, 2000000, 300, 0.5f, 0.25, out()));
  ACL_OK(aclrtSynchronizeStream(stream_));
  double sum = 0;
  ACL_OK(aclrtMemcpy(&sum, 8, memory_, 8, ACL_MEMCPY_DEVICE_TO_HOST));
  EXPECT_EQ(sum, 2000301.75);
}

TEST_F(Launch, OfZeroBlocksIs107000) {
  AddArgs args{memory_, 1};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtLaunchKernel(add_, 0, memory_, sizeof args, stream_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtLaunchKernelWithHostArgs(add_, 0, stream_, nullptr, &args, sizeof args, nullptr, 0));
}

TEST_F(Launch, OfMoreThan65535BlocksIs107000) {
  AddArgs args{memory_, 1};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtLaunchKernel(add_, 65536, memory_, sizeof args, stream_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtLaunchKernelWithHostArgs(add_, ~0u, stream_, nullptr, &args,
                                                                     sizeof args, nullptr, 0));
  ACL_OK(aclrtLaunchKernelWithHostArgs(add_, 65535, stream_, nullptr, &args, sizeof args, nullptr, 0));
  EXPECT_EQ(value(), 65535u);
}

TEST_F(Launch, WithTooFewArgumentBytesIs107000) {
  AddArgs args{memory_, 1};
  for (size_t size : {size_t{0}, size_t{8}, sizeof args - 1}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtLaunchKernel(add_, 1, memory_, size, stream_));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtLaunchKernelWithHostArgs(add_, 1, stream_, nullptr, &args, size, nullptr, 0));
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtLaunchKernel(add_, 1, nullptr, sizeof args, stream_));
  for (const size_t size : {(size_t{1} << 30) + 1, ~size_t{0} - 63, ~size_t{0}}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtLaunchKernelWithHostArgs(add_, 1, stream_, nullptr, &args, size, nullptr, 0));
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtLaunchKernelWithHostArgs(add_, 1, stream_, nullptr, nullptr, sizeof args, nullptr, 0));
  EXPECT_EQ(value(), 0u);
}

TEST_F(Launch, WithoutParametersNeedsNoArguments) {
  aclrtFuncHandle function = nullptr;
  ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&no_arguments), &function));
  ACL_OK(aclrtLaunchKernel(function, 1, nullptr, 0, stream_));
  ACL_OK(aclrtLaunchKernelWithHostArgs(function, 2, stream_, nullptr, nullptr, 0, nullptr, 0));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(Launch, OfAFunctionThatIsNoneIs107017) {
  AddArgs args{memory_, 1};
  for (void* handle : {kInvented, static_cast<void*>(stream_)}) {
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtLaunchKernel(handle, 1, memory_, sizeof args, stream_));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE,
             aclrtLaunchKernelWithHostArgs(handle, 1, stream_, nullptr, &args, sizeof args, nullptr, 0));
  }
}

TEST_F(Launch, OfAFunctionFromBeforeFinalizeIs107017) {
  ACL_OK(aclFinalize());
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclrtSetDevice(0));
  AddArgs args{nullptr, 1};
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE,
           aclrtLaunchKernelWithHostArgs(add_, 1, nullptr, nullptr, &args, sizeof args, nullptr, 0));
  aclrtFuncHandle again = nullptr;
  ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&add_to), &again));
  EXPECT_NE(again, add_);
}

TEST_F(Launch, AnAddressThatIsNoKernelIs107044) {
  aclrtFuncHandle function = kInvented;
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICE_FUNCTION,
           aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&not_a_kernel), &function));
  EXPECT_EQ(function, kInvented);
}

TEST_F(Launch, TheSameKernelHasTheSameHandleInEveryThread) {
  aclrtFuncHandle elsewhere = nullptr;
  std::thread([&] { aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&add_to), &elsewhere); }).join();
  EXPECT_EQ(elsewhere, add_);
}

TEST_F(Launch, HostArgumentsAreCapturedAtTheCall) {
  Gate gate;
  ACL_OK(gate.close(stream_));
  AddArgs args{memory_, 5};
  ACL_OK(aclrtLaunchKernelWithHostArgs(add_, 1, stream_, nullptr, &args, sizeof args, nullptr, 0));
  args = {nullptr, 1000};
  std::vector<char> longer(500, 0);
  AddArgs in_ring{memory_, 7};
  std::memcpy(longer.data(), &in_ring, sizeof in_ring);
  ACL_OK(aclrtLaunchKernelWithHostArgs(add_, 1, stream_, nullptr, longer.data(), longer.size(), nullptr, 0));
  std::fill(longer.begin(), longer.end(), 0);
  gate.open();
  EXPECT_EQ(value(), 12u);
}

TEST_F(Launch, DeviceArgumentsAreReadWhenTheKernelRuns) {
  void* blob = nullptr;
  ACL_OK(aclrtMalloc(&blob, sizeof(AddArgs), ACL_MEM_MALLOC_HUGE_FIRST));
  const AddArgs before{memory_, 1};
  const AddArgs after{memory_, 100};
  ACL_OK(aclrtMemcpy(blob, sizeof before, &before, sizeof before, ACL_MEMCPY_HOST_TO_DEVICE));
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtLaunchKernel(add_, 1, blob, sizeof before, stream_));
  ACL_OK(aclrtMemcpy(blob, sizeof after, &after, sizeof after, ACL_MEMCPY_HOST_TO_DEVICE));
  gate.open();
  EXPECT_EQ(value(), 100u);
}

// A blob: the three parameters of sum_blob, then `size` bytes of data that a placeholder points to.
std::vector<uint8_t> blob_of(void* out, size_t size, uint64_t* sum) {
  std::vector<uint8_t> blob(24 + size);
  const uint64_t bytes = size;
  std::memcpy(blob.data(), &out, 8);
  std::memcpy(blob.data() + 16, &bytes, 8);
  for (size_t i = 0; i < size; ++i) {
    blob[24 + i] = static_cast<uint8_t>(i * 31 + 7);
  }
  *sum += std::accumulate(blob.begin() + 24, blob.end(), uint64_t{0});
  return blob;
}

TEST_F(Launch, PlaceholdersPointIntoTheCopyForEverySizeUpToOneMebibyte) {
  uint64_t expected = 0;
  for (size_t size : {1, 7, 8, 100, 4096, 65536, 100'000, 131'000, 131'072, 200'000, 262'144, 1 << 20}) {
    auto blob = blob_of(memory_, size, &expected);
    aclrtPlaceHolderInfo hole{8, 24};
    ACL_OK(aclrtLaunchKernelWithHostArgs(sum_, 1, stream_, nullptr, blob.data(), blob.size(), &hole, 1)) << size;
    std::fill(blob.begin(), blob.end(), 0xEE);
  }
  EXPECT_EQ(value(), expected);
}

TEST_F(Launch, PlaceholdersOutsideOfTheBlobAre107000) {
  uint64_t expected = 0;
  auto blob = blob_of(memory_, 100, &expected);
  const auto size = static_cast<uint32_t>(blob.size());
  for (const aclrtPlaceHolderInfo hole : {aclrtPlaceHolderInfo{size, 0}, aclrtPlaceHolderInfo{size - 7, 0},
                                          aclrtPlaceHolderInfo{8, size + 1}, aclrtPlaceHolderInfo{~0u, 0},
                                          aclrtPlaceHolderInfo{8, ~0u}}) {
    aclrtPlaceHolderInfo copy = hole;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtLaunchKernelWithHostArgs(sum_, 1, stream_, nullptr, blob.data(), blob.size(), &copy, 1));
  }
  EXPECT_EQ(value(), 0u);
}

TEST_F(Launch, MorePlaceholdersThanArgumentsAre107000AndNotRead) {
  uint64_t expected = 0;
  auto blob = blob_of(memory_, 16, &expected);
  aclrtPlaceHolderInfo hole{8, 24};
  for (const size_t count : {blob.size() / 8 + 1, ~size_t{0} / sizeof hole, ~size_t{0}}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtLaunchKernelWithHostArgs(sum_, 1, stream_, nullptr, blob.data(), blob.size(), &hole, count));
  }
  EXPECT_NE(std::string(why()).find("18446744073709551615 placeholders, the 40 bytes of arguments have room for 5"),
            std::string::npos)
      << why();
  EXPECT_EQ(value(), 0u);
}

TEST_F(Launch, ManyLargeArgumentsWaitForRoomAndArriveWhole) {
  uint64_t expected = 0;
  for (int i = 0; i < 400; ++i) {
    auto blob = blob_of(memory_, 1 + static_cast<size_t>(i) * 997 % 60'000, &expected);
    aclrtPlaceHolderInfo hole{8, 24};
    ACL_OK(aclrtLaunchKernelWithHostArgs(sum_, 1, stream_, nullptr, blob.data(), blob.size(), &hole, 1));
  }
  EXPECT_EQ(value(), expected);
}

TEST_F(Launch, AttributesThatAreHintsAreTaken) {
  AddArgs args{memory_, 1};
  aclrtLaunchKernelAttr attr{};
  aclrtLaunchKernelCfg cfg{&attr, 1};
  const auto launch_with = [&](aclrtLaunchKernelAttrId id) {
    attr.id = id;
    return aclrtLaunchKernelWithHostArgs(add_, 1, stream_, &cfg, &args, sizeof args, nullptr, 0);
  };
  ACL_OK(launch_with(ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE));
  ACL_OK(launch_with(ACL_RT_LAUNCH_KERNEL_ATTR_BLOCK_TASK_PREFETCH));
  cfg.attrs = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, launch_with(ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE));
  EXPECT_EQ(value(), 2u);
}

TEST_F(Launch, AFullStreamHoldsTheSubmitterUntilThereIsRoom) {
  aclrtStream other = nullptr;
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateStream(&other));
  ACL_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  Gate gate;
  ACL_OK(gate.close(other));
  ACL_OK(aclrtRecordEvent(event, other));
  ACL_OK(aclrtStreamWaitEvent(stream_, event));
  std::atomic<int> submitted{0};
  std::jthread submitter([&] {
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    for (int i = 0; i < 5'000; ++i) {
      ASSERT_EQ(launch(add_to, 1, stream_, out(), 1), ACL_SUCCESS);
      submitted.fetch_add(1);
    }
  });
  while (submitted.load() < 2'000) {
    std::this_thread::yield();
  }
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  EXPECT_LT(submitted.load(), 2'100) << "a ring of 2048 took more than it holds";
  gate.open();
  submitter.join();
  EXPECT_EQ(value(), 5'000u);
  ACL_OK(aclrtSynchronizeStream(other));
}

TEST_F(Launch, AFailedAssertionIsReportedByTheNextSynchronizeWithItsCode) {
  ACL_OK(launch(fails_on_vector, 1, stream_));
  ACL_CODE(ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION, aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(launch(fails_on_cube, 1, stream_));
  ACL_CODE(ACL_ERROR_RT_AICORE_TRAP_EXCEPTION, aclrtSynchronizeStream(stream_));
  ACL_OK(launch(fails_on_vector, 30, stream_));
  ACL_CODE(ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION, aclrtSynchronizeDevice());
}

TEST_F(Launch, AfterAFailedKernelTheStreamGoesOn) {
  ACL_OK(launch(fails_on_vector, 1, stream_));
  ACL_OK(launch(add_to, 3, stream_, out(), 1));
  ACL_CODE(ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION, aclrtSynchronizeStream(stream_));
  EXPECT_EQ(value(), 3u);
}

TEST_F(Launch, WithoutADeviceIs107002) {
  std::thread([&] {
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, launch(add_to, 1, nullptr, out(), 1));
  }).join();
}

}  // namespace
}  // namespace canopy::test
