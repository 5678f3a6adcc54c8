// Memory that is taken away while a copy is at it: who takes it away waits for the copy, which is done.
#include "acl/acl_rt_memory_soma.h"
#include "tests/unit/api/gate.h"

#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

constexpr size_t kBytes = size_t{96} << 20;  // some 10 ms of copying
constexpr uint64_t kMark = 0x1234567890abcdef;

uint64_t& first_word(void* memory) { return *static_cast<uint64_t*>(memory); }
uint64_t& last_word(void* memory) { return static_cast<uint64_t*>(memory)[kBytes / 8 - 1]; }

// A look at what a copy writes meanwhile: a race, and meant.
[[gnu::no_sanitize("thread")]] uint64_t glance(const void* memory) { return *static_cast<const volatile uint64_t*>(memory); }

// Until a copy or fill to it has begun.
void wait_for_mark(void* memory) {
  while (glance(memory) != kMark) {
    std::this_thread::yield();
  }
}

class FreeBesideCopy : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtMalloc(&to_, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMemset(to_, kBytes, 0, kBytes));
  }
  // `memory` is taken away by take() while it is copied from; the copy goes on to its end, the later one is refused.
  void expect_whole_copy(void* memory, const std::function<aclError()>& take) {
    first_word(memory) = kMark;
    last_word(memory) = kMark;
    ACL_OK(aclrtMemcpyAsync(to_, kBytes, memory, kBytes, ACL_MEMCPY_DEFAULT, stream_));
    ACL_OK(aclrtMemcpyAsync(to_, kBytes, memory, kBytes, ACL_MEMCPY_DEFAULT, stream_));
    wait_for_mark(to_);
    EXPECT_EQ(take(), ACL_SUCCESS) << why();
    EXPECT_EQ(last_word(to_), kMark) << "the copy was at it";
    // The second may have begun as well before the memory went.
    const aclError end = aclrtSynchronizeStream(stream_);
    EXPECT_TRUE(end == ACL_ERROR_RT_SYS_DMA || end == ACL_SUCCESS) << end;
    ACL_OK(aclrtSynchronizeStream(stream_));
  }

  aclrtStream stream_ = nullptr;
  void* to_ = nullptr;
};

TEST_F(FreeBesideCopy, DeviceMemory) {
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
  expect_whole_copy(memory, [&] { return aclrtFree(memory); });
}

TEST_F(FreeBesideCopy, ItsDestination) {
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
  first_word(memory) = 0;
  first_word(to_) = kMark;
  ACL_OK(aclrtMemcpyAsync(memory, kBytes, to_, kBytes, ACL_MEMCPY_DEFAULT, stream_));
  wait_for_mark(memory);
  ACL_OK(aclrtFree(memory));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(FreeBesideCopy, PinnedAndRegisteredMemory) {
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, kBytes));
  expect_whole_copy(pinned, [&] { return aclrtFreeHost(pinned); });
  first_word(to_) = 0;
  void* own = std::aligned_alloc(4096, kBytes);
  ACL_OK(aclrtHostRegisterV2(own, kBytes, ACL_HOST_REG_PINNED));
  expect_whole_copy(own, [&] { return aclrtHostUnregister(own); });
  std::free(own);
}

TEST_F(FreeBesideCopy, ManagedMemory) {
  void* memory = nullptr;
  ACL_OK(aclrtMemAllocManaged(&memory, kBytes, ACL_RT_MEM_ATTACH_GLOBAL));
  expect_whole_copy(memory, [&] { return aclrtFree(memory); });
}

// Device memory at reserved addresses.
class MappedBesideCopy : public FreeBesideCopy {
 protected:
  void SetUp() override {
    FreeBesideCopy::SetUp();
    aclrtPhysicalMemProp prop{};
    prop.handleType = ACL_MEM_HANDLE_TYPE_NONE;
    prop.allocationType = ACL_MEM_ALLOCATION_TYPE_PINNED;
    prop.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
    prop.memAttr = ACL_HBM_MEM_HUGE;
    ACL_OK(aclrtMallocPhysical(&handle_, kBytes, &prop, 0));
    ACL_OK(aclrtReserveMemAddress(&at_, kBytes, 0, nullptr, 1));
    ACL_OK(aclrtMapMem(at_, kBytes, 0, handle_, 0));
  }
  void TearDown() override {
    ACL_OK(aclrtReleaseMemAddress(at_));
    ACL_OK(aclrtFreePhysical(handle_));
    FreeBesideCopy::TearDown();
  }
  // What device 0 and the host may do with it.
  aclError allow(aclrtMemAccessFlags flags) {
    aclrtMemAccessDesc both[2] = {};
    both[0] = {flags, {0, ACL_MEM_LOCATION_TYPE_DEVICE}, {}};
    both[1] = {flags, {0, ACL_MEM_LOCATION_TYPE_HOST}, {}};
    return aclrtMemSetAccess(at_, kBytes, both, 2);
  }
  aclrtDrvMemHandle handle_ = nullptr;
  void* at_ = nullptr;
};

TEST_F(MappedBesideCopy, TakenAwayAndUnmapped) {
  ACL_OK(allow(ACL_RT_MEM_ACCESS_FLAGS_READWRITE));
  expect_whole_copy(at_, [&] { return allow(ACL_RT_MEM_ACCESS_FLAGS_NONE); });
  ACL_OK(allow(ACL_RT_MEM_ACCESS_FLAGS_READWRITE));
  first_word(to_) = 0;
  expect_whole_copy(at_, [&] { return aclrtUnmapMem(at_); });
}

// One takes the rights away and waits for the copy; another gives back some of them, which are less than the copy has.
TEST_F(MappedBesideCopy, RightsThatTwoThreadsChange) {
  for (int round = 0; round < 10; ++round) {
    ACL_OK(allow(ACL_RT_MEM_ACCESS_FLAGS_READWRITE));
    first_word(at_) = 0;
    last_word(at_) = 0;
    first_word(to_) = kMark;
    last_word(to_) = kMark;
    ACL_OK(aclrtMemcpyAsync(at_, kBytes, to_, kBytes, ACL_MEMCPY_DEFAULT, stream_));
    wait_for_mark(at_);
    std::thread takes([&] { EXPECT_EQ(allow(ACL_RT_MEM_ACCESS_FLAGS_NONE), ACL_SUCCESS) << why(); });
    aclrtMemAccessFlags now = ACL_RT_MEM_ACCESS_FLAGS_READWRITE;
    while (now != ACL_RT_MEM_ACCESS_FLAGS_NONE) {
      aclrtMemLocation device = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
      uint64_t flags = 0;
      ACL_OK(aclrtMemGetAccess(at_, &device, &flags));
      now = static_cast<aclrtMemAccessFlags>(flags);
    }
    EXPECT_EQ(allow(ACL_RT_MEM_ACCESS_FLAGS_READ), ACL_SUCCESS) << why();
    EXPECT_EQ(last_word(at_), kMark) << "the copy was at it";
    takes.join();
    ACL_OK(aclrtSynchronizeStream(stream_));
    EXPECT_NE(aclrtMemcpy(at_, kBytes, to_, kBytes, ACL_MEMCPY_DEFAULT), ACL_SUCCESS) << "may only be read";
    ACL_OK(aclrtMemcpy(to_, kBytes, at_, kBytes, ACL_MEMCPY_DEFAULT));
  }
  ACL_OK(aclrtUnmapMem(at_));
}

// Whoever the stream's device is, its tasks ask: not only copies.
TEST_F(MappedBesideCopy, TasksOfAStreamAskForItsDevicesRights) {
  constexpr size_t kSmall = 4096;
  ACL_OK(allow(ACL_RT_MEM_ACCESS_FLAGS_READWRITE));
  const auto fill = [&] { return aclrtMemsetAsync(at_, kSmall, 1, kSmall, stream_); };
  const auto reduce = [&] {
    return aclrtReduceAsync(at_, to_, kSmall, ACL_RT_MEMCPY_SDMA_AUTOMATIC_SUM, ACL_INT32, stream_, nullptr);
  };
  EXPECT_EQ(fill(), ACL_SUCCESS) << why();
  EXPECT_EQ(reduce(), ACL_SUCCESS) << why();
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(allow(ACL_RT_MEM_ACCESS_FLAGS_READ));
  EXPECT_NE(fill(), ACL_SUCCESS);
  EXPECT_NE(reduce(), ACL_SUCCESS);
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(*static_cast<uint32_t*>(at_), 0x01010101u + *static_cast<uint32_t*>(to_));
  ACL_OK(aclrtUnmapMem(at_));
}

TEST_F(FreeBesideCopy, AChunkOfAPool) {
  aclrtMemPoolProps props{};
  props.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
  aclrtMemPool pool = nullptr;
  ACL_OK(aclrtMemPoolCreate(&pool, &props));
  aclrtStream other = nullptr;
  ACL_OK(aclrtCreateStream(&other));
  void* block = nullptr;
  ACL_OK(aclrtMemPoolMallocAsync(&block, kBytes, pool, other));
  expect_whole_copy(block, [&] {  // behind nothing of its own stream
    const aclError freed = aclrtMemPoolFreeAsync(block, other);
    return freed != ACL_SUCCESS ? freed : aclrtSynchronizeStream(other) != ACL_SUCCESS ? -1 : aclrtMemPoolTrimTo(pool, 0);
  });
}

TEST_F(FreeBesideCopy, MemoryOfADeviceThatIsReset) {
  ACL_OK(aclrtDeviceEnablePeerAccess(1, 0));
  ACL_OK(aclrtSetDevice(1));
  void* memory = nullptr;
  ACL_OK(aclrtMalloc(&memory, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtSetDevice(0));
  expect_whole_copy(memory, [] { return aclrtResetDeviceForce(1); });
}

TEST_F(FreeBesideCopy, EveryKindOfTaskAndOfHostCopy) {
  const auto expect_ended = [&](const char* name, const std::function<aclError(void*)>& begin) {
    void* memory = nullptr;
    ACL_OK(aclrtMalloc(&memory, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    first_word(to_) = 0;
    first_word(memory) = kMark;
    last_word(memory) = kMark;
    last_word(to_) = 0;
    EXPECT_EQ(begin(memory), ACL_SUCCESS) << name << ": " << why();
    wait_for_mark(to_);
    ACL_OK(aclrtFree(memory));
    EXPECT_EQ(last_word(to_), kMark) << name;
    ACL_OK(aclrtSynchronizeStream(stream_));
  };
  expect_ended("2d", [&](void* from) {
    constexpr size_t kRow = size_t{1} << 20;
    return aclrtMemcpy2dAsync(to_, kRow, from, kRow, kRow, kBytes / kRow, ACL_MEMCPY_DEFAULT, stream_);
  });
  expect_ended("batch", [&](void* from) {
    static size_t size = kBytes;  // read when it is queued
    size_t first = 0;
    aclrtMemcpyBatchAttr attr{};
    attr.dstLoc = attr.srcLoc = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
    return aclrtMemcpyBatchAsyncV2(&to_, &size, &from, &size, 1, &attr, &first, 1, stream_);
  });
  void* descriptor = nullptr;
  ACL_OK(aclrtMalloc(&descriptor, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  expect_ended("descriptor", [&](void* from) {
    EXPECT_EQ(aclrtSetMemcpyDesc(descriptor, ACL_MEMCPY_INNER_DEVICE_TO_DEVICE, from, to_, kBytes, nullptr), ACL_SUCCESS);
    return aclrtMemcpyAsyncWithDesc(descriptor, ACL_MEMCPY_INNER_DEVICE_TO_DEVICE, stream_);
  });
  std::thread host;
  expect_ended("another thread's aclrtMemcpy", [&](void* from) {
    host = std::thread([&, from] {
      EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
      EXPECT_EQ(aclrtMemcpy(to_, kBytes, from, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE), ACL_SUCCESS);
    });
    return ACL_SUCCESS;
  });
  host.join();
  ACL_OK(aclrtResetDevice(0));
}

// A device each: what one frees under its tasks is not given to another before they have run.
TEST_F(FreeBesideCopy, FreesAndCopiesOfManyThreads) {
  constexpr int kThreads = 4;
  constexpr size_t kSmall = size_t{4} << 20;
  std::vector<std::thread> threads;
  for (int each = 0; each < kThreads; ++each) {
    threads.emplace_back([each] {
      ASSERT_EQ(aclrtSetDevice(each), ACL_SUCCESS);
      aclrtStream stream = nullptr;
      ASSERT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS);
      void* to = nullptr;
      ASSERT_EQ(aclrtMalloc(&to, kSmall, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
      for (int round = 0; round < 100; ++round) {
        const size_t bytes = round % 2 == 0 ? kSmall : 4096;
        void* from = nullptr;
        ASSERT_EQ(aclrtMalloc(&from, bytes, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
        ASSERT_EQ(aclrtMemsetAsync(from, bytes, each + 1, bytes, stream), ACL_SUCCESS);
        ASSERT_EQ(aclrtMemcpyAsync(to, bytes, from, bytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream), ACL_SUCCESS);
        if (round % 3 == 0) {
          ASSERT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS) << why();
          ASSERT_EQ(static_cast<char*>(to)[bytes - 1], each + 1);
          ASSERT_EQ(aclrtFree(from), ACL_SUCCESS) << why();
        } else {
          ASSERT_EQ(aclrtFree(from), ACL_SUCCESS) << why();
          const aclError end = aclrtSynchronizeStream(stream);
          ASSERT_TRUE(end == ACL_SUCCESS || end == ACL_ERROR_RT_SYS_DMA) << end;
        }
      }
      EXPECT_EQ(aclrtFree(to), ACL_SUCCESS);
      EXPECT_EQ(aclrtDestroyStream(stream), ACL_SUCCESS);
      EXPECT_EQ(aclrtResetDevice(each), ACL_SUCCESS);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace
}  // namespace canopy::test
