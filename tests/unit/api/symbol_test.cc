// Variables of the device.
#include "canopy/symbol.h"
#include "canopy/kernel.h"
#include "tests/unit/api/gate.h"

#include <cstring>
#include <thread>

namespace {

__gm__ int32_t symbol_table[16];
CANOPY_SYMBOL(symbol_table)
int32_t never_announced;

__global__ __aicore__ void symbol_add(int32_t value) { symbol_table[GetBlockIdx()] += value; }
CANOPY_KERNEL(symbol_add)

}  // namespace

namespace canopy::test {
namespace {

class Symbols : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    std::memset(symbol_table, 0, sizeof symbol_table);
  }
  aclrtStream stream_ = nullptr;
};

TEST_F(Symbols, HaveAnAddressAndASize) {
  void* address = nullptr;
  size_t size = 0;
  ACL_OK(aclrtGetSymbolAddress(symbol_table, &address));
  ACL_OK(aclrtGetSymbolSize(symbol_table, &size));
  EXPECT_NE(address, nullptr);
  EXPECT_EQ(size, sizeof symbol_table);
}

TEST_F(Symbols, KernelsSeeWhatIsCopiedThere) {
  const int32_t value = 40;
  int32_t seen = 0;
  ACL_OK(aclrtMemcpyToSymbol(symbol_table, &value, sizeof value, 3 * sizeof value,
                             ACL_MEMCPY_HOST_TO_DEVICE));
  ASSERT_EQ(launch(symbol_add, 16, stream_, 2), ACL_SUCCESS);
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtMemcpyFromSymbol(&seen, sizeof seen, symbol_table, sizeof seen, 3 * sizeof seen,
                               ACL_MEMCPY_DEVICE_TO_HOST));
  EXPECT_EQ(seen, 42);
}

TEST_F(Symbols, CopiesInStreamOrder) {
  int32_t* pinned = nullptr;
  ACL_OK(aclrtMallocHost(reinterpret_cast<void**>(&pinned), 8));
  pinned[0] = 5;
  pinned[1] = 0;
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(
      aclrtMemcpyToSymbolAsync(symbol_table, &pinned[0], 4, 0, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  ASSERT_EQ(launch(symbol_add, 1, stream_, 2), ACL_SUCCESS);
  ACL_OK(aclrtMemcpyFromSymbolAsync(&pinned[1], 4, symbol_table, 4, 0, ACL_MEMCPY_DEVICE_TO_HOST,
                                    stream_));
  EXPECT_EQ(symbol_table[0], 0) << "the copy overtook the stream";
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(pinned[1], 7);
  ACL_OK(aclrtFreeHost(pinned));
}

TEST_F(Symbols, CopiesOfPageableMemoryAreDoneOnReturn) {
  int32_t value = 9;
  ACL_OK(aclrtMemcpyToSymbolAsync(symbol_table, &value, 4, 0, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  EXPECT_EQ(symbol_table[0], 9);
  value = 0;
  ACL_OK(aclrtMemcpyFromSymbolAsync(&value, 4, symbol_table, 4, 0, ACL_MEMCPY_DEVICE_TO_HOST,
                                    stream_));
  EXPECT_EQ(value, 9);
}

TEST_F(Symbols, WhatNobodyAnnouncedIs107042) {
  void* address = nullptr;
  size_t size = 0;
  int32_t value = 0;
  constexpr int kCode = ACL_ERROR_RT_SYMBOL_NOT_FOUND;
  ACL_CODE(kCode, aclrtGetSymbolAddress(&never_announced, &address));
  ACL_CODE(kCode, aclrtGetSymbolSize(&symbol_table[1], &size));
  ACL_CODE(kCode, aclrtMemcpyToSymbol(&never_announced, &value, 4, 0, ACL_MEMCPY_DEFAULT));
  ACL_CODE(kCode, aclrtMemcpyFromSymbolAsync(&value, 4, &never_announced, 4, 0, ACL_MEMCPY_DEFAULT,
                                             stream_));
}

TEST_F(Symbols, ARecordGoesWithItsOwner) {
  static int32_t variable;
  size_t size = 0;
  {
    const detail::SymbolRegistration registration(&variable, sizeof variable);
    ACL_OK(aclrtGetSymbolSize(&variable, &size));
  }
  ACL_CODE(ACL_ERROR_RT_SYMBOL_NOT_FOUND, aclrtGetSymbolSize(&variable, &size));
}

TEST_F(Symbols, WrongRangesAndKindsAre107000) {
  int32_t values[17] = {};
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode, aclrtMemcpyToSymbol(symbol_table, values, 68, 0, ACL_MEMCPY_DEFAULT));
  ACL_CODE(kCode, aclrtMemcpyToSymbol(symbol_table, values, 4, 61, ACL_MEMCPY_DEFAULT));
  ACL_CODE(kCode, aclrtMemcpyToSymbol(symbol_table, values, 4, ~size_t{0}, ACL_MEMCPY_DEFAULT));
  ACL_CODE(kCode, aclrtMemcpyFromSymbol(values, 3, symbol_table, 4, 0, ACL_MEMCPY_DEFAULT));
  ACL_CODE(kCode, aclrtMemcpyToSymbol(symbol_table, values, 4, 0, ACL_MEMCPY_DEVICE_TO_HOST));
  ACL_CODE(kCode, aclrtMemcpyFromSymbol(values, 4, symbol_table, 4, 0, ACL_MEMCPY_HOST_TO_DEVICE));
  ACL_CODE(kCode,
           aclrtMemcpyToSymbolAsync(symbol_table, values, 4, 0, ACL_MEMCPY_HOST_TO_HOST, stream_));
}

TEST_F(Symbols, NullIs100000AndWithoutADeviceItIs107002) {
  int32_t value = 0;
  void* address = nullptr;
  constexpr int kCode = ACL_ERROR_INVALID_PARAM;
  ACL_CODE(kCode, aclrtGetSymbolAddress(nullptr, &address));
  ACL_CODE(kCode, aclrtGetSymbolAddress(symbol_table, nullptr));
  ACL_CODE(kCode, aclrtGetSymbolSize(symbol_table, nullptr));
  ACL_CODE(kCode, aclrtMemcpyToSymbol(symbol_table, nullptr, 4, 0, ACL_MEMCPY_DEFAULT));
  ACL_CODE(kCode, aclrtMemcpyFromSymbol(nullptr, 4, symbol_table, 4, 0, ACL_MEMCPY_DEFAULT));
  std::thread([&] {
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL,
             aclrtMemcpyFromSymbol(&value, 4, symbol_table, 4, 0, ACL_MEMCPY_DEFAULT));
  }).join();
}

}  // namespace
}  // namespace canopy::test
