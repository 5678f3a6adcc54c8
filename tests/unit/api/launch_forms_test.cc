// The forms of launches beside the plain ones: what each takes its arguments from.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <atomic>
#include <cstring>
#include <string>
#include <vector>

namespace {

__global__ __aicore__ void add_product(uint64_t* out, uint8_t a, double b) {
  std::atomic_ref(*out).fetch_add(static_cast<uint64_t>(a * b));
}
CANOPY_KERNEL(add_product)

__global__ __aicore__ void without_parameters() {}
CANOPY_KERNEL_CUBE(without_parameters)

struct Wide {
  uint64_t words[100];
};
__global__ __aicore__ void sum_wide(uint64_t* out, Wide wide) {
  for (uint64_t word : wide.words) {
    *out += word;
  }
}
CANOPY_KERNEL_MIX(sum_wide)

void not_a_kernel() {}

// Text that comes in one piece although blocks print at the same time.
__global__ __aicore__ void print_line(int number) {
  canopy_kernel_printf("block %u of %u says %d\n", GetBlockIdx(), GetBlockNum(), number);
}
CANOPY_KERNEL(print_line)

__global__ __aicore__ void assert_small(int number) { canopy_assert(number < 10); }
CANOPY_KERNEL(assert_small)

}  // namespace

namespace canopy::test {
namespace {

class LaunchForm : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    void* memory = nullptr;
    ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMemset(memory, 64, 0, 64));
    out_ = static_cast<uint64_t*>(memory);
  }
  uint64_t* out_ = nullptr;
};

TEST_F(LaunchForm, ArgsArrayTakesSizesFromTheKernel) {
  uint8_t a = 3;
  double b = 2.5;
  void* args[] = {&out_, &a, &b};
  ACL_OK(aclrtLaunchKernelWithArgsArray(reinterpret_cast<void*>(&add_product), 1, nullptr, nullptr,
                                        args));
  aclrtFuncHandle function = nullptr;
  ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&add_product), &function));
  ACL_OK(aclrtLaunchKernelWithArgsArray(function, 2, nullptr, nullptr, args));
  a = 100;  // captured at the call
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(*out_, 21u);
}

TEST_F(LaunchForm, ArgsArrayCopiesParametersOfAnySize) {
  Wide wide;
  uint64_t expected = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    wide.words[i] = i * i;
    expected += i * i;
  }
  void* args[] = {&out_, &wide};
  ACL_OK(aclrtLaunchKernelWithArgsArray(reinterpret_cast<void*>(&sum_wide), 1, nullptr, nullptr,
                                        args));
  std::memset(&wide, 0, sizeof wide);
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(*out_, expected);
}

TEST_F(LaunchForm, ArgsArrayWithoutAnAddressIs107000) {
  uint8_t a = 3;
  void* args[] = {&out_, &a, nullptr};
  void* kernel = reinterpret_cast<void*>(&add_product);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtLaunchKernelWithArgsArray(kernel, 1, nullptr, nullptr, args));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtLaunchKernelWithArgsArray(kernel, 1, nullptr, nullptr, nullptr));
  ACL_OK(aclrtLaunchKernelWithArgsArray(reinterpret_cast<void*>(&without_parameters), 1, nullptr,
                                        nullptr, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
}

TEST_F(LaunchForm, ArgsArrayOfWhatIsNoKernelIs107044) {
  void* args[] = {&out_};
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICE_FUNCTION,
           aclrtLaunchKernelWithArgsArray(reinterpret_cast<void*>(&not_a_kernel), 1, nullptr,
                                          nullptr, args));
}

TEST_F(LaunchForm, V2ReadsDeviceArgumentsWithAndWithoutAttributes) {
  struct {
    uint64_t* out;
    uint8_t a;
    double b;
  } args{out_, 4, 5};
  void* blob = nullptr;
  ACL_OK(aclrtMalloc(&blob, sizeof args, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMemcpy(blob, sizeof args, &args, sizeof args, ACL_MEMCPY_HOST_TO_DEVICE));
  aclrtFuncHandle function = nullptr;
  ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&add_product), &function));
  aclrtLaunchKernelAttr size{};
  size.id = ACL_RT_LAUNCH_KERNEL_ATTR_DYN_UBUF_SIZE;
  size.value.dynUBufSize = 1024;
  aclrtLaunchKernelCfg cfg{&size, 1};
  aclrtLaunchKernelCfg empty{nullptr, 0};
  ACL_OK(aclrtLaunchKernelV2(function, 1, blob, sizeof args, nullptr, nullptr));
  ACL_OK(aclrtLaunchKernelV2(function, 1, blob, sizeof args, &empty, nullptr));
  ACL_OK(aclrtLaunchKernelV2(function, 1, blob, sizeof args, &cfg, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(*out_, 60u);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtLaunchKernelV2(function, 0, blob, sizeof args, &cfg, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtLaunchKernelV2(function, 1, blob, 8, &cfg, nullptr));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE,
           aclrtLaunchKernelV2(kInvented, 1, blob, sizeof args, &cfg, nullptr));
}

TEST_F(LaunchForm, EveryFormRefusesWrongBlocks) {
  void* args[] = {nullptr};
  void* kernel = reinterpret_cast<void*>(&without_parameters);
  aclrtFuncHandle function = nullptr;
  aclrtArgsHandle handle = nullptr;
  ACL_OK(aclrtGetFuncBySymbol(kernel, &function));
  ACL_OK(aclrtKernelArgsInit(function, &handle));
  ACL_OK(aclrtKernelArgsFinalize(handle));
  for (const uint32_t blocks : {0u, 65536u}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtLaunchKernelWithArgsArray(kernel, blocks, nullptr, nullptr, args));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtLaunchKernelV2(function, blocks, nullptr, 0, nullptr, nullptr));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtLaunchKernelWithConfig(function, blocks, nullptr, nullptr, handle, nullptr));
  }
}

TEST_F(LaunchForm, PrintfOfKernelsComesToTheHostsOutputInWholeLines) {
  testing::internal::CaptureStdout();
  const aclError launched = launch(print_line, 200, nullptr, 42);
  const aclError done = aclrtSynchronizeStream(nullptr);
  std::fflush(stdout);
  const std::string text = testing::internal::GetCapturedStdout();
  ASSERT_EQ(launched, ACL_SUCCESS);
  ASSERT_EQ(done, ACL_SUCCESS);
  for (int i = 0; i < 200; ++i) {
    const std::string line = "block " + std::to_string(i) + " of 200 says 42\n";
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
}

TEST_F(LaunchForm, AnAssertionThatFailsIsReportedOnTheHostAndFailsTheTask) {
  testing::internal::CaptureStderr();
  const aclError launched = launch(assert_small, 1, nullptr, 11);
  const aclError done = aclrtSynchronizeStream(nullptr);
  const std::string text = testing::internal::GetCapturedStderr();
  ASSERT_EQ(launched, ACL_SUCCESS);
  EXPECT_EQ(done, ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION);
  for (const char* part :
       {"device 0", "assert_small", "block 0", "number < 10", "launch_forms_test.cc"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
  }
}

}  // namespace
}  // namespace canopy::test
