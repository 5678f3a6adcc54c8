// What works between two devices: atomics, and memory that is mapped ahead.
#include "tests/unit/api/gate.h"

#include <vector>

namespace canopy::test {
namespace {

constexpr uint32_t kOfIntegers = 1 | 2 | 8 | 16 | 32 | 64;  // both signs, 8 to 64 bits

class Peer : public AclTest {
 protected:
  const std::vector<aclrtAtomicOperation> operations_ = {
      ACL_RT_ATOMIC_OPERATION_INTEGER_ADD, ACL_RT_ATOMIC_OPERATION_CAS,
      ACL_RT_ATOMIC_OPERATION_FLOAT_ADD, ACL_RT_ATOMIC_OPERATION_DMA_MAX,
      ACL_RT_ATOMIC_OPERATION_SIMD_SCALAR_EXCH};
  const uint32_t count_ = static_cast<uint32_t>(operations_.size());
  std::vector<uint32_t> told_ = std::vector<uint32_t>(operations_.size(), 77);
};

TEST_F(Peer, AtomicsOnHostMemoryAreThoseOfHostCode) {
  ACL_OK(aclrtDeviceGetHostAtomicCapabilities(told_.data(), operations_.data(), count_, 0));
  EXPECT_EQ(told_, (std::vector<uint32_t>{kOfIntegers, kOfIntegers, 0, 0, kOfIntegers}));
}

TEST_F(Peer, AtomicsOnAPeersMemoryNeedADirectLink) {
  ACL_OK(aclrtDeviceGetP2PAtomicCapabilities(told_.data(), operations_.data(), count_, 0, kNear));
  EXPECT_EQ(told_, (std::vector<uint32_t>{kOfIntegers, kOfIntegers, 0, 0, kOfIntegers}));
  for (const int peer : {kStaged, kUnreachable}) {
    ACL_OK(aclrtDeviceGetP2PAtomicCapabilities(told_.data(), operations_.data(), count_, 0, peer));
    EXPECT_EQ(told_, std::vector<uint32_t>(operations_.size(), 0)) << peer;
  }
}

TEST_F(Peer, WrongQuestionsAboutAtomicsWriteNothing) {
  const auto before = told_;
  const auto wrong = static_cast<aclrtAtomicOperation>(13);
  const aclrtAtomicOperation some[] = {ACL_RT_ATOMIC_OPERATION_CAS, wrong};
  uint32_t* out = told_.data();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceGetHostAtomicCapabilities(out, some, 2, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceGetHostAtomicCapabilities(out, some, 0, 0));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID,
           aclrtDeviceGetHostAtomicCapabilities(out, some, 1, kDevices));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtDeviceGetHostAtomicCapabilities(nullptr, some, 1, 0));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtDeviceGetHostAtomicCapabilities(out, nullptr, 1, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceGetP2PAtomicCapabilities(out, some, 2, 0, kNear));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceGetP2PAtomicCapabilities(out, some, 0, 0, kNear));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtDeviceGetP2PAtomicCapabilities(out, some, 1, 0, 0));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtDeviceGetP2PAtomicCapabilities(out, some, 1, 0, -1));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID,
           aclrtDeviceGetP2PAtomicCapabilities(out, some, 1, kDevices, 0));
  ACL_CODE(ACL_ERROR_INVALID_PARAM,
           aclrtDeviceGetP2PAtomicCapabilities(nullptr, some, 1, 0, kNear));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtDeviceGetP2PAtomicCapabilities(out, nullptr, 1, 0, kNear));
  EXPECT_EQ(told_, before);
}

TEST_F(Peer, MemoryIsMappedAheadWhereAccessIsEnabled) {
  void* memory = zeroed_memory(4096);
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtMemP2PMap(memory, 4096, kUnreachable, 0));
  EXPECT_NE(std::string(aclGetRecentErrMsg()).find("no peer access is possible"), std::string::npos);
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtMemP2PMap(memory, 4096, kNear, 0)) << "not enabled yet";
  EXPECT_NE(std::string(aclGetRecentErrMsg()).find("aclrtDeviceEnablePeerAccess has to come first"), std::string::npos);
  ACL_OK(aclrtDeviceEnablePeerAccess(kNear, 0));
  ACL_OK(aclrtMemP2PMap(memory, 4096, kNear, 0));
  ACL_OK(aclrtMemP2PMap(static_cast<char*>(memory) + 64, 100, kNear, 0));
}

TEST_F(Peer, WhatCannotBeMappedIsRefused) {
  void* memory = zeroed_memory(4096);
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, 4096));
  ACL_OK(aclrtDeviceEnablePeerAccess(kNear, 0));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtMemP2PMap(nullptr, 4096, kNear, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemP2PMap(memory, 0, kNear, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemP2PMap(memory, 4096, kNear, 1));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemP2PMap(memory, 1 << 20, kNear, 0)) << "past the end";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemP2PMap(pinned, 4096, kNear, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemP2PMap(memory, 4096, 0, 0)) << "its own device";
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtMemP2PMap(memory, 4096, kDevices, 0));
  ACL_OK(aclrtFreeHost(pinned));
}

// The other device's context comes first, and so would its end.
TEST_F(Peer, FinalizingWaitsForCopiesIntoAnotherDevicesMemory) {
  constexpr size_t kBytes = 32u << 20;
  void* far = nullptr;
  void* near = nullptr;
  struct Last {
    const volatile uint64_t* far;
    std::atomic<uint64_t> seen;
  } last{nullptr, 0};
  ACL_OK(aclrtResetDevice(0));
  ACL_OK(aclrtSetDevice(kNear));
  ACL_OK(aclrtMalloc(&far, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtSetDevice(0));
  ACL_OK(aclrtDeviceEnablePeerAccess(kNear, 0));
  ACL_OK(aclrtMalloc(&near, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMemset(near, kBytes, 0x5A, kBytes));
  aclrtStream stream = make_stream();
  for (int i = 0; i < 30; ++i) {
    ACL_OK(aclrtMemcpyAsync(far, kBytes, near, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
  }
  last.far = static_cast<const uint64_t*>(far);
  ACL_OK(aclrtLaunchHostFunc(stream, [](void* p) {
    auto* at = static_cast<Last*>(p);
    at->seen = *at->far;  // the device is still there
  }, &last));
  ACL_OK(aclFinalize());
  EXPECT_EQ(last.seen.load(), 0x5A5A5A5A5A5A5A5Au);
  ACL_OK(aclInit(nullptr));
  ACL_OK(aclrtSetDevice(0));
}

}  // namespace
}  // namespace canopy::test
