// Allocation: sizes, alignment, capacity, wrong frees.
#include "tests/unit/api/gate.h"

#include <cstring>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class Memory : public AclTest {
 protected:
  static size_t free_bytes() {
    size_t free = 0;
    size_t total = 0;
    EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), ACL_SUCCESS) << why();
    return free;
  }
};

TEST_F(Memory, MallocIsAlignedToSixtyFourForEverySize) {
  std::vector<void*> all;
  for (size_t size : {1, 31, 32, 33, 63, 64, 65, 100, 127, 128, 191, 192, 193, 1000, 4096, 65536, 1 << 20, (2 << 20) - 1,
                      2 << 20, (2 << 20) + 1, 8 << 20}) {
    void* memory = nullptr;
    ACL_OK(aclrtMalloc(&memory, size, ACL_MEM_MALLOC_HUGE_FIRST));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u) << size;
    std::memset(memory, 0x77, size);  // the host may use the address
    all.push_back(memory);
  }
  for (void* memory : all) {
    ACL_OK(aclrtFree(memory));
  }
}

TEST_F(Memory, MallocHostIsAlignedToSixtyFour) {
  for (size_t size : {1, 65, 100, 4097, 3 << 20}) {
    void* memory = nullptr;
    ACL_OK(aclrtMallocHost(&memory, size));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u) << size;
    std::memset(memory, 1, size);
    ACL_OK(aclrtFreeHost(memory));
  }
}

TEST_F(Memory, SizeZeroIs100000) {
  void* memory = kInvented;
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtMalloc(&memory, 0, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtMallocHost(&memory, 0));
  EXPECT_EQ(memory, kInvented);
}

TEST_F(Memory, EveryPolicyIsTaken) {
  // 9: none of the interface's; the size alone decides then.
  for (int policy : {0, 1, 2, 3, 4, 5, 6, 7, 9, 0x100, 0x1000, 0x1001, 0x100000}) {
    void* memory = nullptr;
    ACL_OK(aclrtMalloc(&memory, 100, static_cast<aclrtMemMallocPolicy>(policy))) << policy;
    ACL_OK(aclrtFree(memory));
  }
}

TEST_F(Memory, MoreThanTheDeviceHasIs207001) {
  for (size_t size : {kHbmBytes + 1, kHbmBytes * 4, size_t{1} << 47, size_t{1} << 60, ~size_t{0} - 100, ~size_t{0}}) {
    void* memory = kInvented;
    ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMalloc(&memory, size, ACL_MEM_MALLOC_HUGE_FIRST)) << size;
    EXPECT_EQ(memory, kInvented);
  }
  for (size_t size : {size_t{1} << 47, size_t{1} << 60, ~size_t{0}}) {
    void* memory = nullptr;
    ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMallocHost(&memory, size)) << size;
  }
}

TEST_F(Memory, ADeviceCanBeFilledAndEmptied) {
  const size_t all = free_bytes();
  for (int round = 0; round < 3; ++round) {
    std::vector<void*> blocks;
    aclError code = ACL_SUCCESS;
    while (code == ACL_SUCCESS) {
      void* memory = nullptr;
      code = aclrtMalloc(&memory, (2 << 20) - 64, ACL_MEM_MALLOC_HUGE_FIRST);
      if (code == ACL_SUCCESS) {
        blocks.push_back(memory);
      }
    }
    EXPECT_EQ(code, ACL_ERROR_RT_MEMORY_ALLOCATION);
    EXPECT_EQ(blocks.size(), kHbmBytes >> 21);
    EXPECT_EQ(free_bytes(), 0u);
    for (void* memory : blocks) {
      ACL_OK(aclrtFree(memory));
    }
    EXPECT_EQ(free_bytes(), all);
  }
}

TEST_F(Memory, InfoOfAKindTheDeviceLacksIsZero) {
  size_t free = 1;
  size_t total = 1;
  ACL_OK(aclrtGetMemInfo(ACL_DDR_MEM, &free, &total));
  EXPECT_EQ(free, 0u);
  EXPECT_EQ(total, 0u);
}

TEST_F(Memory, AWrongFreeIsAnErrorAndChangesNothing) {
  void* device = nullptr;
  void* large = nullptr;
  void* pinned = nullptr;
  ACL_OK(aclrtMalloc(&device, 100, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMalloc(&large, 5 << 20, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMallocHost(&pinned, 100));
  int on_stack = 0;
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode, aclrtFree(pinned));
  ACL_CODE(kCode, aclrtFreeHost(device));
  ACL_CODE(kCode, aclrtFreeHost(large));
  ACL_CODE(kCode, aclrtFree(&on_stack));
  ACL_CODE(kCode, aclrtFreeHost(&on_stack));
  ACL_CODE(kCode, aclrtFree(static_cast<char*>(device) + 64));
  ACL_CODE(kCode, aclrtFree(static_cast<char*>(large) + (2 << 20)));
  ACL_OK(aclrtFree(device));
  ACL_CODE(kCode, aclrtFree(device));
  ACL_OK(aclrtFree(large));
  ACL_CODE(kCode, aclrtFree(large));
  ACL_OK(aclrtFreeHost(pinned));
  ACL_CODE(kCode, aclrtFreeHost(pinned));
}

TEST_F(Memory, WithoutADeviceMallocIs107002) {
  std::thread([] {
    void* memory = nullptr;
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtMalloc(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST));
    size_t free = 0;
    size_t total = 0;
    ACL_CODE(ACL_ERROR_RT_CONTEXT_NULL, aclrtGetMemInfo(ACL_HBM_MEM, &free, &total));
  }).join();
}

TEST_F(Memory, AnyThreadMayFree) {
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST));
  std::thread([&] { EXPECT_EQ(aclrtFree(memory), ACL_SUCCESS) << why(); }).join();
}

TEST_F(Memory, HundredsOfLargeAllocationsCoexist) {
  // Each has a file of its own behind it.
  std::vector<void*> blocks;
  for (int device = 0; device < kDevices; ++device) {
    ACL_OK(aclrtSetDevice(device));
    for (int i = 0; i < 120; ++i) {
      void* memory = nullptr;
      ACL_OK(aclrtMalloc(&memory, (2 << 20) - 64, ACL_MEM_MALLOC_HUGE_FIRST));
      blocks.push_back(memory);
    }
  }
  for (void* memory : blocks) {
    ACL_OK(aclrtFree(memory));
  }
}

}  // namespace
}  // namespace canopy::test
