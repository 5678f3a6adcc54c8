// Copies and fills.
#include "tests/unit/api/gate.h"

#include <cstring>
#include <vector>

namespace canopy::test {
namespace {

constexpr size_t kBytes = 5000;

class Copy : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtMalloc(&device_, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMalloc(&other_, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMallocHost(&pinned_, kBytes));
    pageable_.resize(kBytes);
  }
  void TearDown() override {
    EXPECT_EQ(aclrtFreeHost(pinned_), ACL_SUCCESS);
    AclTest::TearDown();
  }
  void* pageable() { return pageable_.data(); }
  static void mark(void* memory, int value) { std::memset(memory, value, kBytes); }
  static bool all_are(const void* memory, int value) {
    const auto* bytes = static_cast<const unsigned char*>(memory);
    for (size_t i = 0; i < kBytes; ++i) {
      if (bytes[i] != static_cast<unsigned char>(value)) {
        return false;
      }
    }
    return true;
  }

  aclrtStream stream_ = nullptr;
  void* device_ = nullptr;
  void* other_ = nullptr;
  void* pinned_ = nullptr;
  std::vector<char> pageable_;
};

TEST_F(Copy, WorksBetweenEveryPairOfMemories) {
  std::vector<char> second(kBytes);
  int value = 1;
  for (void* src : {device_, other_, pinned_, pageable(), static_cast<void*>(second.data())}) {
    for (void* dst : {device_, other_, pinned_, pageable(), static_cast<void*>(second.data())}) {
      mark(dst, 0);
      mark(src, ++value);
      ACL_OK(aclrtMemcpy(dst, kBytes, src, kBytes, ACL_MEMCPY_DEFAULT));
      EXPECT_TRUE(all_are(dst, value));
    }
  }
}

TEST_F(Copy, TheDirectionComesFromTheAddressesAndTheKindIsOnlyChecked) {
  mark(device_, 9);
  for (int kind = 0; kind <= 7; ++kind) {
    mark(pageable(), 0);
    ACL_OK(aclrtMemcpy(pageable(), kBytes, device_, kBytes, static_cast<aclrtMemcpyKind>(kind))) << kind;
    EXPECT_TRUE(all_are(pageable(), 9));
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(pageable(), kBytes, device_, kBytes, static_cast<aclrtMemcpyKind>(8)));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemcpyAsync(device_, kBytes, pinned_, kBytes, static_cast<aclrtMemcpyKind>(8), stream_));
}

TEST_F(Copy, MoreThanTheDestinationIs107000) {
  mark(pageable(), 1);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(pageable(), kBytes - 1, device_, kBytes, ACL_MEMCPY_DEFAULT));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemcpyAsync(device_, kBytes - 1, pinned_, kBytes, ACL_MEMCPY_DEFAULT, stream_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(device_, 10, 0, 11));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemsetAsync(device_, 10, 0, 11, stream_));
  EXPECT_TRUE(all_are(pageable(), 1));
}

TEST_F(Copy, PastTheEndOfAnAllocationIs107000) {
  std::vector<char> large(16 << 20);
  for (void* memory : {device_, pinned_}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(memory, large.size(), large.data(), large.size(), ACL_MEMCPY_DEFAULT));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(large.data(), large.size(), memory, large.size(), ACL_MEMCPY_DEFAULT));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(memory, large.size(), 0, large.size()));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemsetAsync(memory, large.size(), 0, large.size(), stream_));
    // Near the top of the numbers nothing may wrap round.
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(memory, ~size_t{0}, large.data(), ~size_t{0}, ACL_MEMCPY_DEFAULT));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(static_cast<char*>(memory) + 64, ~size_t{0}, 0, ~size_t{0} - 63));
  }
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(Copy, MemoryThatWasFreedIsAnErrorAndNoCrash) {
  void* small = nullptr;
  void* large = nullptr;
  ACL_OK(aclrtMalloc(&small, 100, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMalloc(&large, 4 << 20, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtFree(small));
  ACL_OK(aclrtFree(large));
  for (void* memory : {small, large}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(memory, 64, pageable(), 64, ACL_MEMCPY_DEFAULT));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(pageable(), 64, memory, 64, ACL_MEMCPY_DEFAULT));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpyAsync(memory, 64, pinned_, 64, ACL_MEMCPY_DEFAULT, stream_));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(memory, 64, 0, 64));
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemsetAsync(memory, 64, 0, 64, stream_));
  }
}

TEST_F(Copy, OfNothingSucceeds) {
  mark(device_, 3);
  ACL_OK(aclrtMemcpy(device_, kBytes, pageable(), 0, ACL_MEMCPY_DEFAULT));
  ACL_OK(aclrtMemcpy(device_, 0, pageable(), 0, ACL_MEMCPY_DEFAULT));
  ACL_OK(aclrtMemcpyAsync(device_, kBytes, pinned_, 0, ACL_MEMCPY_DEFAULT, stream_));
  ACL_OK(aclrtMemset(device_, kBytes, 1, 0));
  ACL_OK(aclrtMemsetAsync(device_, kBytes, 1, 0, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_TRUE(all_are(device_, 3));
}

TEST_F(Copy, OfMemoryOntoItselfSucceeds) {
  mark(device_, 4);
  ACL_OK(aclrtMemcpy(device_, kBytes, device_, kBytes, ACL_MEMCPY_DEFAULT));
  ACL_OK(aclrtMemcpyAsync(device_, kBytes, device_, kBytes, ACL_MEMCPY_DEFAULT, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_TRUE(all_are(device_, 4));
}

TEST_F(Copy, AsyncWithPinnedMemoryRunsInStreamOrder) {
  mark(pinned_, 1);
  mark(device_, 0);
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemcpyAsync(device_, kBytes, pinned_, kBytes, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  ACL_OK(aclrtMemcpyAsync(other_, kBytes, device_, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream_));
  ACL_OK(aclrtMemsetAsync(device_, kBytes, 7, kBytes, stream_));
  EXPECT_TRUE(all_are(device_, 0)) << "the copy overtook the stream";
  mark(pinned_, 2);  // what counts is the content when the stream gets there
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_TRUE(all_are(other_, 2));
  EXPECT_TRUE(all_are(device_, 7));
}

TEST_F(Copy, AsyncWithPageableMemorySynchronizesTheStreamAndIsDoneOnReturn) {
  mark(device_, 0);
  mark(pageable(), 5);
  ACL_OK(aclrtMemsetAsync(device_, kBytes, 1, kBytes, stream_));
  ACL_OK(aclrtMemcpyAsync(device_, kBytes, pageable(), kBytes, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  mark(pageable(), 6);  // may be reused at once
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_TRUE(all_are(device_, 5));
  ACL_OK(aclrtMemsetAsync(device_, kBytes, 8, kBytes, stream_));
  ACL_OK(aclrtMemcpyAsync(pageable(), kBytes, device_, kBytes, ACL_MEMCPY_DEVICE_TO_HOST, stream_));
  EXPECT_TRUE(all_are(pageable(), 8)) << "complete on return";
}

TEST_F(Copy, AsyncFromHostToHostIs207000) {
  std::vector<char> more(kBytes);
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
           aclrtMemcpyAsync(more.data(), kBytes, pageable(), kBytes, ACL_MEMCPY_HOST_TO_HOST, stream_));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
           aclrtMemcpyAsync(pinned_, kBytes, pageable(), kBytes, ACL_MEMCPY_HOST_TO_HOST, stream_));
}

TEST_F(Copy, BetweenTwoDevicesNeedsPeerAccess) {
  ACL_OK(aclrtSetDevice(kNear));
  void* there = nullptr;
  ACL_OK(aclrtMalloc(&there, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
  mark(device_, 11);
  mark(there, 0);
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtMemcpy(there, kBytes, device_, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION,
           aclrtMemcpyAsync(there, kBytes, device_, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, nullptr));
  EXPECT_TRUE(all_are(there, 0));
  ACL_OK(aclrtDeviceEnablePeerAccess(0, 0));
  ACL_OK(aclrtMemcpy(there, kBytes, device_, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  EXPECT_TRUE(all_are(there, 11));
  mark(there, 12);
  ACL_OK(aclrtMemcpyAsync(device_, kBytes, there, kBytes, ACL_MEMCPY_INTER_DEVICE_TO_DEVICE, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_TRUE(all_are(device_, 12));
  ACL_OK(aclrtDeviceDisablePeerAccess(0));
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtMemcpy(there, kBytes, device_, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
}

TEST_F(Copy, FillSetsBytesOfAnyMemory) {
  for (void* memory : {device_, pinned_, pageable()}) {
    ACL_OK(aclrtMemset(memory, kBytes, 0x1FE, kBytes));  // the low byte counts, as for memset
    EXPECT_TRUE(all_are(memory, 0xFE));
    ACL_OK(aclrtMemsetAsync(memory, kBytes, 0x21, kBytes, stream_));
    ACL_OK(aclrtSynchronizeStream(stream_));
    EXPECT_TRUE(all_are(memory, 0x21));
  }
}

TEST_F(Copy, OfLargeMemoryIsExact) {
  constexpr size_t kLarge = (48 << 20) + 3;
  void* large = nullptr;
  ACL_OK(aclrtMalloc(&large, kLarge, ACL_MEM_MALLOC_HUGE_FIRST));
  std::vector<uint8_t> source(kLarge);
  for (size_t i = 0; i < kLarge; ++i) {
    source[i] = static_cast<uint8_t>(i * 2654435761u >> 13);
  }
  std::vector<uint8_t> back(kLarge);
  ACL_OK(aclrtMemcpy(large, kLarge, source.data(), kLarge, ACL_MEMCPY_HOST_TO_DEVICE));
  ACL_OK(aclrtMemcpy(back.data(), kLarge, large, kLarge, ACL_MEMCPY_DEVICE_TO_HOST));
  EXPECT_EQ(back, source);
}

}  // namespace
}  // namespace canopy::test
