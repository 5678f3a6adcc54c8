// What functions and binaries tell of themselves, and binaries from memory.
#include "tests/unit/api/gate.h"

#include "canopy/kernel.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

__global__ __aicore__ void three_parameters(uint8_t, uint64_t, uint16_t) {}
CANOPY_KERNEL(three_parameters)
__global__ __aicore__ void on_both() {}
CANOPY_KERNEL_MIX(on_both)

}  // namespace

namespace canopy::test {
namespace {

std::vector<char> contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Function : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtBinaryLoadFromFile(TEST_KERNELS, nullptr, &binary_));
    ACL_OK(aclrtBinaryGetFunction(binary_, "count_calls", &vector_));
    ACL_OK(aclrtBinaryGetFunction(binary_, "add_up", &cube_));
    ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&three_parameters), &own_));
    ACL_OK(aclrtGetFuncBySymbol(reinterpret_cast<const void*>(&on_both), &mixed_));
  }
  static int64_t attribute(aclrtFuncHandle function, aclrtFuncAttribute id) {
    int64_t value = -1;
    EXPECT_EQ(aclrtGetFunctionAttribute(function, id, &value), ACL_SUCCESS) << why();
    return value;
  }
  aclrtBinHandle binary_ = nullptr;
  aclrtFuncHandle vector_ = nullptr;
  aclrtFuncHandle cube_ = nullptr;
  aclrtFuncHandle own_ = nullptr;
  aclrtFuncHandle mixed_ = nullptr;
};

TEST_F(Function, NameFitsOrIs107000) {
  char name[12];
  ACL_OK(aclrtGetFunctionName(vector_, sizeof name, name));
  EXPECT_STREQ(name, "count_calls");
  std::memset(name, 'x', sizeof name);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetFunctionName(vector_, 11, name));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetFunctionName(vector_, 0, name));
  EXPECT_EQ(name[0], 'x');
}

TEST_F(Function, AttributesTellKindRatioAndSchedule) {
  EXPECT_EQ(attribute(vector_, ACL_FUNC_ATTR_KERNEL_TYPE), ACL_KERNEL_TYPE_VECTOR);
  EXPECT_EQ(attribute(cube_, ACL_FUNC_ATTR_KERNEL_TYPE), ACL_KERNEL_TYPE_CUBE);
  EXPECT_EQ(attribute(mixed_, ACL_FUNC_ATTR_KERNEL_TYPE), ACL_KERNEL_TYPE_MIX);
  EXPECT_EQ(attribute(vector_, ACL_FUNC_ATTR_KERNEL_RATIO), 0x00001);
  EXPECT_EQ(attribute(cube_, ACL_FUNC_ATTR_KERNEL_RATIO), 0x10000);
  EXPECT_EQ(attribute(mixed_, ACL_FUNC_ATTR_KERNEL_RATIO), 0x10001);
  EXPECT_EQ(attribute(mixed_, ACL_FUNC_ATTR_KERNEL_SCHED_MODE), 0);
  int64_t value = 0;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtGetFunctionAttribute(mixed_, static_cast<aclrtFuncAttribute>(9), &value));
}

TEST_F(Function, AddressIsThatOfTheKernelOnTheKindsItRunsOn) {
  void* aic = kInvented;
  void* aiv = kInvented;
  ACL_OK(aclrtGetFunctionAddr(own_, &aic, &aiv));
  EXPECT_EQ(aic, nullptr);
  EXPECT_EQ(aiv, reinterpret_cast<void*>(&three_parameters));
  ACL_OK(aclrtGetFunctionAddr(cube_, &aic, &aiv));
  EXPECT_NE(aic, nullptr);
  EXPECT_EQ(aiv, nullptr);
  ACL_OK(aclrtGetFunctionAddr(mixed_, &aic, &aiv));
  EXPECT_EQ(aic, aiv);
}

TEST_F(Function, SizeIsThatOfItsCode) {
  size_t aic = 1;
  size_t aiv = 1;
  ACL_OK(aclrtGetFunctionSize(vector_, &aic, &aiv));
  EXPECT_EQ(aic, 0u);
  EXPECT_GT(aiv, 8u);
  EXPECT_LT(aiv, 100'000u);
  ACL_OK(aclrtGetFunctionSize(own_, &aic, &aiv)) << "of the program";
  EXPECT_GT(aiv, 0u);
}

TEST_F(Function, ByEntryIsByAddressOrByTheNumberInTheName) {
  void* aic = nullptr;
  void* aiv = nullptr;
  ACL_OK(aclrtGetFunctionAddr(cube_, &aic, &aiv));
  aclrtFuncHandle found = nullptr;
  ACL_OK(aclrtBinaryGetFunctionByEntry(binary_, reinterpret_cast<uint64_t>(aic), &found));
  EXPECT_EQ(found, cube_);
  ACL_OK(aclrtBinaryGetFunctionByEntry(binary_, 10022, &found));
  char name[32];
  ACL_OK(aclrtGetFunctionName(found, sizeof name, name));
  EXPECT_STREQ(name, "tiled_10022");
  ACL_CODE(ACL_ERROR_KERNEL_NOT_FOUND, aclrtBinaryGetFunctionByEntry(binary_, 77, &found));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtBinaryGetFunctionByEntry(kInvented, 77, &found));
}

TEST_F(Function, KnowsItsBinaryAndThoseOfTheProgramHaveNone) {
  aclrtBinHandle binary = nullptr;
  ACL_OK(aclrtFunctionGetBinary(vector_, &binary));
  EXPECT_EQ(binary, binary_);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtFunctionGetBinary(own_, &binary));
}

TEST_F(Function, ParametersLieAsInAStruct) {
  for (const void* func :
       {static_cast<const void*>(own_), reinterpret_cast<const void*>(&three_parameters)}) {
    size_t count = 0;
    ACL_OK(aclrtFunctionGetParamCount(func, &count));
    ASSERT_EQ(count, 3u);
    const size_t expected[3][2] = {{0, 1}, {8, 8}, {16, 2}};
    for (size_t i = 0; i < 3; ++i) {
      size_t offset = 99;
      size_t size = 99;
      ACL_OK(aclrtFunctionGetParamInfo(func, i, &offset, &size));
      EXPECT_EQ(offset, expected[i][0]);
      EXPECT_EQ(size, expected[i][1]);
    }
    size_t offset = 0;
    size_t size = 0;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtFunctionGetParamInfo(func, 3, &offset, &size));
  }
  size_t count = 0;
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICE_FUNCTION, aclrtFunctionGetParamCount(kInvented, &count));
}

TEST_F(Function, MayHaveTheWholeUnifiedBufferAtALaunch) {
  int64_t size = 0;
  ACL_OK(aclrtGetDeviceInfo(0, ACL_DEV_ATTR_UBUF_PER_VECTOR_CORE, &size));
  size_t available = 0;
  ACL_OK(aclrtFunctionGetAvailDynUbufPerBlock(own_, 0, &available));
  EXPECT_EQ(available, static_cast<size_t>(size));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtFunctionGetAvailDynUbufPerBlock(own_, 1, &available));
}

TEST_F(Function, HandlesThatAreNoneAre107017) {
  ACL_OK(aclrtBinaryUnLoad(binary_));
  size_t size = 0;
  int64_t value = 0;
  void* address = nullptr;
  char name[32];
  for (aclrtFuncHandle handle : {vector_, kInvented}) {
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtGetFunctionName(handle, sizeof name, name));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtGetFunctionAddr(handle, &address, &address));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtGetFunctionSize(handle, &size, &size));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE,
             aclrtGetFunctionAttribute(handle, ACL_FUNC_ATTR_KERNEL_TYPE, &value));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtFunctionGetBinary(handle, &address));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtKernelArgsInit(handle, &address));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtKernelArgsGetMemSize(handle, 8, &size));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtKernelArgsGetHandleMemSize(handle, &size));
  }
}

// ---- Binaries.

using BinaryFromMemory = AclTest;

TEST_F(BinaryFromMemory, IsCopiedSoThatTheBytesMayGo) {
  std::vector<char> data = contents(TEST_KERNELS);
  aclrtBinHandle binary = nullptr;
  ACL_OK(aclrtBinaryLoadFromData(data.data(), data.size(), nullptr, &binary));
  std::fill(data.begin(), data.end(), 0);
  aclrtFuncHandle function = nullptr;
  ACL_OK(aclrtBinaryGetFunction(binary, "count_calls", &function));
  ACL_OK(aclrtBinaryUnLoad(binary));
}

TEST_F(BinaryFromMemory, CreatedBinariesLoadUntilTheyAreDestroyed) {
  const std::vector<char> data = contents(TEST_KERNELS);
  aclrtBinary named = aclrtCreateBinary(data.data(), data.size());
  ASSERT_NE(named, nullptr);
  aclrtBinHandle first = nullptr;
  aclrtBinHandle second = nullptr;
  ACL_OK(aclrtBinaryLoad(named, &first));
  ACL_OK(aclrtBinaryLoad(named, &second));
  EXPECT_NE(first, second);
  ACL_OK(aclrtDestroyBinary(named));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtBinaryLoad(named, &first));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyBinary(named));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyBinary(kInvented));
  EXPECT_EQ(aclrtCreateBinary(nullptr, 8), nullptr);
  EXPECT_EQ(aclrtCreateBinary(data.data(), 0), nullptr);
}

TEST_F(BinaryFromMemory, ThatIsNoneIs107009) {
  const std::vector<char> data = contents(TEST_KERNELS);
  aclrtBinHandle binary = kInvented;
  ACL_CODE(ACL_ERROR_RT_FILE_OPEN, aclrtBinaryLoadFromData(data.data(), 0, nullptr, &binary));
  ACL_CODE(ACL_ERROR_RT_FILE_OPEN, aclrtBinaryLoadFromData(data.data(), 100, nullptr, &binary));
  ACL_CODE(ACL_ERROR_RT_FILE_OPEN,
           aclrtBinaryLoadFromData(data.data() + 1, data.size() - 1, nullptr, &binary));
  const std::vector<char> empty = contents(TEST_NO_KERNELS);
  ACL_CODE(ACL_ERROR_RT_KERNEL_LOOKUP,
           aclrtBinaryLoadFromData(empty.data(), empty.size(), nullptr, &binary));
  EXPECT_EQ(binary, kInvented);
}

TEST_F(BinaryFromMemory, OptionsAreCheckedAndALazyLoadHasNoAddressYet) {
  aclrtBinaryLoadOption options[2] = {};
  aclrtBinaryLoadOptions list{options, 2};
  options[0].type = ACL_RT_BINARY_LOAD_OPT_LAZY_LOAD;
  options[0].value.isLazyLoad = 1;
  options[1].type = ACL_RT_BINARY_LOAD_OPT_MAGIC;
  options[1].value.magic = ACL_RT_BINARY_MAGIC_ELF_VECTOR_CORE;
  aclrtBinHandle binary = nullptr;
  ACL_OK(aclrtBinaryLoadFromFile(TEST_KERNELS, &list, &binary));
  void* address = kInvented;
  size_t size = 0;
  ACL_OK(aclrtBinaryGetDevAddress(binary, &address, &size));
  EXPECT_EQ(address, nullptr);
  EXPECT_GT(size, 4096u);
  aclrtFuncHandle function = nullptr;
  ACL_OK(aclrtBinaryGetFunction(binary, "count_calls", &function));
  ACL_OK(aclrtBinaryGetDevAddress(binary, &address, &size));
  ASSERT_NE(address, nullptr);
  void* aic = nullptr;
  void* aiv = nullptr;
  ACL_OK(aclrtGetFunctionAddr(function, &aic, &aiv));
  EXPECT_GE(aiv, address);
  EXPECT_LT(aiv, static_cast<char*>(address) + size);
  aclrtBinHandle refused = kInvented;
  options[1].value.magic = 1;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtBinaryLoadFromFile(TEST_KERNELS, &list, &refused));
  list.numOpt = 1;
  options[0].value.isLazyLoad = 2;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtBinaryLoadFromFile(TEST_KERNELS, &list, &refused));
  options[0].type = static_cast<aclrtBinaryLoadOptionType>(9);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtBinaryLoadFromFile(TEST_KERNELS, &list, &refused));
  list.options = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtBinaryLoadFromFile(TEST_KERNELS, &list, &refused));
  options[0].type = ACL_RT_BINARY_LOAD_OPT_LAZY_LOAD;
  options[0].value.isLazyLoad = 1;
  list = {options, ~size_t{0}};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtBinaryLoadFromFile(TEST_KERNELS, &list, &refused));
  EXPECT_STREQ(why(), "loading a binary: 18446744073709551615 options, there are 64 at most");
  EXPECT_EQ(refused, kInvented);
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtBinaryGetDevAddress(kInvented, &address, &size));
}

TEST_F(BinaryFromMemory, GlobalsAreFoundByTheirNameInEachLoad) {
  aclrtBinHandle binaries[2] = {};
  uint64_t* variables[2] = {};
  for (int i = 0; i < 2; ++i) {
    ACL_OK(aclrtBinaryLoadFromFile(TEST_KERNELS, nullptr, &binaries[i]));
    void* address = nullptr;
    size_t size = 0;
    ACL_OK(aclrtBinaryGetGlobal(binaries[i], "start_values", &address, &size));
    EXPECT_EQ(size, 3 * sizeof(uint64_t));
    variables[i] = static_cast<uint64_t*>(address);
    EXPECT_EQ(variables[i][2], 13u);
    variables[i][2] = 1000;
  }
  EXPECT_NE(variables[0], variables[1]);
  size_t size = 0;
  void* address = nullptr;
  ACL_OK(aclrtBinaryGetGlobal(binaries[0], "start_values", nullptr, &size));
  ACL_OK(aclrtBinaryGetGlobal(binaries[0], "start_values", &address, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM,
           aclrtBinaryGetGlobal(binaries[0], "start_values", nullptr, nullptr));
  ACL_CODE(ACL_ERROR_RT_SYMBOL_NOT_FOUND,
           aclrtBinaryGetGlobal(binaries[0], "nothing", &address, &size));
  ACL_CODE(ACL_ERROR_RT_SYMBOL_NOT_FOUND,
           aclrtBinaryGetGlobal(binaries[0], "plain_function", &address, &size));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE,
           aclrtBinaryGetGlobal(kInvented, "start_values", &address, &size));
}

}  // namespace
}  // namespace canopy::test
