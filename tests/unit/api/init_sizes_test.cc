// The sizes that aclInit's file may give.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <cstdlib>
#include <string>

namespace {

__global__ __aicore__ void use_stack(uint32_t* out) {
  volatile char large[1 << 20];
  for (size_t i = 0; i < sizeof large; i += 4096) {
    large[i] = 1;
  }
  *out = static_cast<uint32_t>(large[4096]);
}
CANOPY_KERNEL(use_stack)

}  // namespace

namespace canopy::test {
namespace {

class InitSizes : public testing::Test {
 protected:
  void TearDown() override {
    aclFinalize();
    for (int limit = 0; limit <= ACL_RT_DEV_LIMIT_SIMT_PRINTF_FIFO_SIZE; ++limit) {
      aclrtDeviceSetLimit(static_cast<aclrtDeviceLimit>(limit), 256 << 10);
    }
    while (aclGetRecentErrMsg() != nullptr) {
    }
  }
  static aclError init_with(const std::string& json) {
    return aclInit(write_scratch("sizes.json", json).c_str());
  }
};

struct Size {
  const char* json;
  aclrtDeviceLimit limit;
  size_t bytes;
};

class InitSize : public InitSizes, public testing::WithParamInterface<Size> {};
INSTANTIATE_TEST_SUITE_P(
    Keys, InitSize,
    testing::Values(
        Size{R"({"StackSize": {"aicore_stack_size": 65536}})", ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE,
             65536},
        Size{R"({"StackSize": {"aicore_stack_size": 65537}})", ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE,
             81920},
        Size{R"({"StackSize": {"aicore_stack_size": 1}})", ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE, 32768},
        Size{R"({"StackSize": {"aicore_stack_size": "40000"}})", ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE,
             49152},
        Size{R"({"StackSize": {"simt_stack_size": 1025}})", ACL_RT_DEV_LIMIT_SIMT_STACK_SIZE, 1152},
        Size{R"({"StackSize": {"simt_divergence_stack_size": 512}})",
             ACL_RT_DEV_LIMIT_SIMT_DVG_WARP_STACK_SIZE, 512},
        Size{R"({"simt_printf_fifo_size": 1048577})", ACL_RT_DEV_LIMIT_SIMT_PRINTF_FIFO_SIZE,
             1048584},
        Size{R"({"simd_printf_fifo_size_per_core": 1024})",
             ACL_RT_DEV_LIMIT_SIMD_PRINTF_FIFO_SIZE_PER_CORE, 1024}));

TEST_P(InitSize, IsTheDevicesLimitRoundedUpAsOnACard) {
  ACL_OK(init_with(GetParam().json));
  size_t bytes = 0;
  ACL_OK(aclrtDeviceGetLimit(GetParam().limit, &bytes));
  EXPECT_EQ(bytes, GetParam().bytes);
}

TEST_F(InitSizes, OutOfTheirRangesOrNoNumbersAre100006) {
  for (const char* json :
       {R"({"StackSize": 3})", R"({"StackSize": {"aicore_stack_size": 0}})",
        R"({"StackSize": {"aicore_stack_size": -32768}})",
        R"({"StackSize": {"aicore_stack_size": "many"}})",
        R"({"StackSize": {"aicore_stack_size": 1.5}})",
        R"({"StackSize": {"aicore_stack_size": 1073741825}})",
        R"({"StackSize": {"simt_stack_size": 99999999999999999999}})",
        R"({"StackSize": {"simt_divergence_stack_size": []}})",
        R"({"simt_printf_fifo_size": 1048575})", R"({"simt_printf_fifo_size": 67108865})",
        R"({"simd_printf_fifo_size_per_core": 1023})",
        R"({"simd_printf_fifo_size_per_core": 67108865})", R"({"max_opqueue_num": "none"})",
        R"({"max_opqueue_num": 0})"}) {
    ACL_CODE(ACL_ERROR_PARSE_FILE, init_with(json)) << json;
    ACL_CODE(ACL_ERROR_REPEAT_FINALIZE, aclFinalize()) << "a failed init must not count: " << json;
  }
  ACL_CODE(ACL_ERROR_PARSE_FILE, init_with(R"({"simd_printf_fifo_size_per_core": 8})"));
  const std::string sentence = why();
  EXPECT_NE(
      sentence.find("simd_printf_fifo_size_per_core is 8, 1024 to 67108864 bytes are possible"),
      std::string::npos)
      << sentence;
}

TEST_F(InitSizes, TheNumberOfOperatorsIsTakenAsNumberAndAsText) {
  for (const char* json : {R"({"max_opqueue_num": "20000"})", R"({"max_opqueue_num": 2})"}) {
    ACL_OK(init_with(json));
    ACL_OK(aclFinalize());
  }
}

// In a process of its own: stacks are made with the first device.
TEST_F(InitSizes, TheStackHoldsForKernels) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [] {
    void* out = nullptr;
    uint32_t got = 0;
    const bool good =
        init_with(R"({"StackSize": {"aicore_stack_size": 2097152}})") == ACL_SUCCESS &&
        aclrtSetDevice(0) == ACL_SUCCESS &&
        aclrtMalloc(&out, 64, ACL_MEM_MALLOC_HUGE_FIRST) == ACL_SUCCESS &&
        launch(use_stack, 1, nullptr, static_cast<uint32_t*>(out)) == ACL_SUCCESS &&
        aclrtSynchronizeStream(nullptr) == ACL_SUCCESS &&
        aclrtMemcpy(&got, sizeof got, out, sizeof got, ACL_MEMCPY_DEVICE_TO_HOST) == ACL_SUCCESS;
    std::exit(good && got == 1 ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace canopy::test
