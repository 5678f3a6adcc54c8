// Arguments of kernels, put together one by one.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <cstring>
#include <string>
#include <vector>

namespace {

// All widths, so that slots of 8 bytes would be read wrongly.
__global__ __aicore__ void sum_mixed(uint8_t a, uint16_t b, GM_ADDR out, uint32_t c, double d) {
  *reinterpret_cast<double*>(out) = a + b + c + d;
}
CANOPY_KERNEL(sum_mixed)

__global__ __aicore__ void sum_two(GM_ADDR out, const uint64_t* first, uint64_t n,
                                   const uint64_t* second) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; ++i) {
    sum += first[i] * 1000 + second[i];
  }
  *reinterpret_cast<uint64_t*>(out) = sum;
}
CANOPY_KERNEL(sum_two)

__global__ __aicore__ void without_parameters() {}
CANOPY_KERNEL(without_parameters)

}  // namespace

namespace canopy::test {
namespace {

template <class Kernel>
aclrtFuncHandle handle_of(Kernel* kernel) {
  aclrtFuncHandle handle = nullptr;
  EXPECT_EQ(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(kernel), &handle), ACL_SUCCESS);
  return handle;
}

// Where the arguments lie: with the runtime, or with the caller.
enum class Place { runtime, caller };

class KernelArguments : public AclTest, public testing::WithParamInterface<Place> {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtMalloc(&out_, 64, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMemset(out_, 64, 0, 64));
    mixed_ = handle_of(&sum_mixed);
    two_ = handle_of(&sum_two);
  }
  aclrtArgsHandle make(aclrtFuncHandle function, size_t bytes = 4096) {
    aclrtArgsHandle args = nullptr;
    if (GetParam() == Place::runtime) {
      EXPECT_EQ(aclrtKernelArgsInit(function, &args), ACL_SUCCESS) << why();
      return args;
    }
    size_t handle_bytes = 0;
    size_t memory_bytes = 0;
    EXPECT_EQ(aclrtKernelArgsGetHandleMemSize(function, &handle_bytes), ACL_SUCCESS);
    EXPECT_EQ(aclrtKernelArgsGetMemSize(function, bytes, &memory_bytes), ACL_SUCCESS);
    places_.emplace_back(handle_bytes);
    memories_.emplace_back(memory_bytes);
    args = places_.back().data();
    EXPECT_EQ(aclrtKernelArgsInitByUserMem(function, args, memories_.back().data(), memory_bytes),
              ACL_SUCCESS)
        << why();
    return args;
  }
  template <class T>
  static aclrtParamHandle append(aclrtArgsHandle args, T value) {
    aclrtParamHandle handle = nullptr;
    EXPECT_EQ(aclrtKernelArgsAppend(args, &value, sizeof value, &handle), ACL_SUCCESS) << why();
    return handle;
  }
  double sum_of(aclrtArgsHandle args) {
    EXPECT_EQ(aclrtLaunchKernelWithConfig(mixed_, 1, nullptr, nullptr, args, nullptr), ACL_SUCCESS)
        << why();
    EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
    return *static_cast<double*>(out_);
  }
  aclrtArgsHandle mixed_args(aclrtParamHandle* c = nullptr) {
    aclrtArgsHandle args = make(mixed_);
    append<uint8_t>(args, 1);
    append<uint16_t>(args, 20);
    append(args, out_);
    aclrtParamHandle handle = append<uint32_t>(args, 300);
    append(args, 0.5);
    if (c != nullptr) {
      *c = handle;
    }
    return args;
  }

  void* out_ = nullptr;
  aclrtFuncHandle mixed_ = nullptr;
  aclrtFuncHandle two_ = nullptr;
  std::vector<std::vector<char>> places_;
  std::vector<std::vector<char>> memories_;
};

TEST_P(KernelArguments, ArriveWhereTheKernelExpectsThem) {
  aclrtArgsHandle args = mixed_args();
  ACL_OK(aclrtKernelArgsFinalize(args));
  EXPECT_EQ(sum_of(args), 321.5);
}

TEST_P(KernelArguments, CanBeLaunchedManyTimesAndUpdatedBetween) {
  aclrtParamHandle c = nullptr;
  aclrtArgsHandle args = mixed_args(&c);
  ACL_OK(aclrtKernelArgsFinalize(args));
  for (uint32_t i = 0; i < 50; ++i) {
    ACL_OK(aclrtKernelArgsParaUpdate(args, c, &i, sizeof i));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
             aclrtLaunchKernelWithConfig(mixed_, 1, nullptr, nullptr, args, nullptr));
    ACL_OK(aclrtKernelArgsFinalize(args));
    EXPECT_EQ(sum_of(args), 21.5 + i);
    EXPECT_EQ(sum_of(args), 21.5 + i);
  }
}

TEST_P(KernelArguments, AreCapturedByTheLaunch) {
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  Gate gate;
  ACL_OK(gate.close(stream));
  OpenAtEnd at_end(gate, stream);
  aclrtParamHandle c = nullptr;
  aclrtArgsHandle args = mixed_args(&c);
  ACL_OK(aclrtKernelArgsFinalize(args));
  ACL_OK(aclrtLaunchKernelWithConfig(mixed_, 1, stream, nullptr, args, nullptr));
  uint32_t other = 7000;
  ACL_OK(aclrtKernelArgsParaUpdate(args, c, &other, sizeof other));
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream));
  EXPECT_EQ(*static_cast<double*>(out_), 321.5);
}

TEST_P(KernelArguments, PlaceholdersPointToDataThatTravelsAlong) {
  constexpr uint64_t kCount = 100;
  aclrtArgsHandle args = make(two_, 4 * 8 + 2 * kCount * 8);
  append(args, out_);
  aclrtParamHandle first = nullptr;
  aclrtParamHandle second = nullptr;
  ACL_OK(aclrtKernelArgsAppendPlaceHolder(args, &first));
  append(args, kCount);
  ACL_OK(aclrtKernelArgsAppendPlaceHolder(args, &second));
  void* first_data = nullptr;
  void* second_data = nullptr;
  ACL_OK(aclrtKernelArgsGetPlaceHolderBuffer(args, first, kCount * 8, &first_data));
  ACL_OK(aclrtKernelArgsGetPlaceHolderBuffer(args, second, kCount * 8, &second_data));
  uint64_t expected = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    static_cast<uint64_t*>(first_data)[i] = i;
    static_cast<uint64_t*>(second_data)[i] = 7 * i;
    expected += i * 1000 + 7 * i;
  }
  ACL_OK(aclrtKernelArgsFinalize(args));
  ACL_OK(aclrtLaunchKernelWithConfig(two_, 1, nullptr, nullptr, args, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(*static_cast<uint64_t*>(out_), expected);
  static_cast<uint64_t*>(first_data)[0] = 5;
  ACL_OK(aclrtLaunchKernelWithConfig(two_, 1, nullptr, nullptr, args, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(*static_cast<uint64_t*>(out_), expected + 5000);
}

TEST_P(KernelArguments, OfAWrongSizeOrNumberAre107000) {
  aclrtArgsHandle args = make(mixed_);
  aclrtParamHandle handle = kInvented;
  uint64_t wide = 1;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsAppend(args, &wide, sizeof wide, &handle));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsAppend(args, &wide, 0, &handle));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsAppendPlaceHolder(args, &handle));
  EXPECT_EQ(handle, kInvented);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsFinalize(args));
  aclrtArgsHandle whole = mixed_args();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsAppend(whole, &wide, sizeof wide, &handle));
}

TEST_P(KernelArguments, CannotBeAppendedAfterTheFirstBufferOrTheEnd) {
  aclrtArgsHandle args = make(two_);
  append(args, out_);
  aclrtParamHandle first = nullptr;
  aclrtParamHandle handle = nullptr;
  void* data = nullptr;
  uint64_t value = 1;
  ACL_OK(aclrtKernelArgsAppendPlaceHolder(args, &first));
  ACL_OK(aclrtKernelArgsGetPlaceHolderBuffer(args, first, 8, &data));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsAppend(args, &value, 8, &handle));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsAppendPlaceHolder(args, &handle));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsGetPlaceHolderBuffer(args, first, 8, &data))
      << "twice";
}

TEST_P(KernelArguments, BuffersAreForPlaceholdersAndUpdatesForValues) {
  aclrtArgsHandle args = make(two_);
  aclrtParamHandle value = append(args, out_);
  aclrtParamHandle hole = nullptr;
  void* data = nullptr;
  uint64_t word = 1;
  ACL_OK(aclrtKernelArgsAppendPlaceHolder(args, &hole));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsGetPlaceHolderBuffer(args, value, 8, &data));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsGetPlaceHolderBuffer(args, hole, 0, &data));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsParaUpdate(args, hole, &word, 8));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsParaUpdate(args, value, &word, 4));
}

TEST_P(KernelArguments, WithAPlaceholderWithoutDataCannotBeFinished) {
  aclrtArgsHandle args = make(two_);
  append(args, out_);
  aclrtParamHandle hole = nullptr;
  ACL_OK(aclrtKernelArgsAppendPlaceHolder(args, &hole));
  append<uint64_t>(args, 1);
  ACL_OK(aclrtKernelArgsAppendPlaceHolder(args, &hole));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsFinalize(args));
}

TEST_P(KernelArguments, ParametersOfOtherArgumentsAre107017) {
  aclrtParamHandle of_other = nullptr;
  mixed_args(&of_other);
  aclrtArgsHandle args = mixed_args();
  uint32_t value = 1;
  for (aclrtParamHandle handle : {of_other, kInvented}) {
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE,
             aclrtKernelArgsParaUpdate(args, handle, &value, sizeof value));
  }
}

TEST_P(KernelArguments, OfAnotherKernelAre107000AndInventedOnes107017) {
  aclrtArgsHandle args = mixed_args();
  ACL_OK(aclrtKernelArgsFinalize(args));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtLaunchKernelWithConfig(two_, 1, nullptr, nullptr, args, nullptr));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE,
           aclrtLaunchKernelWithConfig(two_, 1, nullptr, nullptr, kInvented, nullptr));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtKernelArgsFinalize(kInvented));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtLaunchKernelWithConfig(mixed_, 1, nullptr, nullptr, args, kInvented));
}

TEST_P(KernelArguments, OfAKernelWithoutParametersNeedNone) {
  aclrtFuncHandle function = handle_of(&without_parameters);
  aclrtArgsHandle args = make(function);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtLaunchKernelWithConfig(function, 1, nullptr, nullptr, args, nullptr));
  ACL_OK(aclrtKernelArgsFinalize(args));
  ACL_OK(aclrtLaunchKernelWithConfig(function, 1, nullptr, nullptr, args, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
}

TEST_P(KernelArguments, GoWithTheirBinary) {
  aclrtBinHandle binary = nullptr;
  aclrtFuncHandle function = nullptr;
  ACL_OK(aclrtBinaryLoadFromFile(TEST_KERNELS, nullptr, &binary));
  ACL_OK(aclrtBinaryGetFunction(binary, "add_up", &function));
  aclrtArgsHandle args = make(function);
  aclrtArgsHandle others = mixed_args();
  ACL_OK(aclrtBinaryUnLoad(binary));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtKernelArgsFinalize(args));
  ACL_OK(aclrtKernelArgsFinalize(others));
}

INSTANTIATE_TEST_SUITE_P(Places, KernelArguments, testing::Values(Place::runtime, Place::caller),
                         [](const auto& place) {
                           return place.param == Place::runtime ? "Runtime" : "Caller";
                         });

using KernelArgumentsLimit = AclTest;

TEST_F(KernelArgumentsLimit, MemoryOfTheCallerThatIsTooSmallIs107000) {
  aclrtFuncHandle function = handle_of(&sum_mixed);
  uint64_t handle = 0;
  char memory[8];
  ACL_OK(aclrtKernelArgsInitByUserMem(function, &handle, memory, 1));
  aclrtParamHandle parameter = nullptr;
  uint8_t one = 1;
  uint16_t two = 2;
  // An aligned place for the first byte may or may not be there; for the second value it is not.
  const aclError first = aclrtKernelArgsAppend(&handle, &one, sizeof one, &parameter);
  EXPECT_TRUE(first == ACL_SUCCESS || first == ACL_ERROR_RT_PARAM_INVALID);
  ACL_CODE(
      ACL_ERROR_RT_PARAM_INVALID,
      first == ACL_SUCCESS ? aclrtKernelArgsAppend(&handle, &two, sizeof two, &parameter) : first);
}

TEST_F(KernelArgumentsLimit, MoreThan128ParametersAre107000) {
  aclrtBinaryLoadOption mode;
  mode.type = ACL_RT_BINARY_LOAD_OPT_CPU_KERNEL_MODE;
  mode.value.cpuKernelMode = 1;
  aclrtBinaryLoadOptions options{&mode, 1};
  aclrtBinHandle binary = nullptr;
  aclrtFuncHandle function = nullptr;
  ACL_OK(aclrtBinaryLoadFromFile(TEST_AICPU_JSON, &options, &binary));
  ACL_OK(aclrtBinaryGetFunction(binary, "Scale", &function));
  aclrtArgsHandle args = nullptr;
  aclrtParamHandle parameter = nullptr;
  ACL_OK(aclrtKernelArgsInit(function, &args));
  for (uint64_t i = 0; i < 128; ++i) {
    ACL_OK(aclrtKernelArgsAppend(args, &i, sizeof i, &parameter));
  }
  uint64_t more = 0;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtKernelArgsAppend(args, &more, sizeof more, &parameter));
}

}  // namespace
}  // namespace canopy::test
