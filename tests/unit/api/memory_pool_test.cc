// Pools of device memory in stream order.
#include "acl/acl_rt_memory_soma.h"
#include "tests/unit/api/gate.h"

#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class StreamOrderedPool : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    pool_ = make_pool(0);
    ACL_OK(aclrtCreateStream(&a_));
    ACL_OK(aclrtCreateStream(&b_));
  }
  static aclrtMemPool make_pool(size_t max_size) {
    aclrtMemPoolProps props{};
    props.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
    props.maxSize = max_size;
    aclrtMemPool pool = nullptr;
    EXPECT_EQ(aclrtMemPoolCreate(&pool, &props), ACL_SUCCESS) << why();
    return pool;
  }
  void* take(size_t bytes, aclrtStream stream) {
    void* memory = nullptr;
    EXPECT_EQ(aclrtMemPoolMallocAsync(&memory, bytes, pool_, stream), ACL_SUCCESS) << why();
    return memory;
  }
  uint64_t figure(aclrtMemPoolAttr attr) {
    uint64_t value = ~uint64_t{0};
    EXPECT_EQ(aclrtMemPoolGetAttr(pool_, attr, &value), ACL_SUCCESS) << why();
    return value;
  }
  void set_switch(aclrtMemPoolAttr attr, uint32_t value) {
    EXPECT_EQ(aclrtMemPoolSetAttr(pool_, attr, &value), ACL_SUCCESS) << why();
  }
  void keep_everything() {
    uint64_t all = ~uint64_t{0};
    EXPECT_EQ(aclrtMemPoolSetAttr(pool_, ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD, &all), ACL_SUCCESS) << why();
  }
  static size_t device_free() {
    size_t free = 0;
    size_t total = 0;
    EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), ACL_SUCCESS);
    return free;
  }

  aclrtMemPool pool_ = nullptr;
  aclrtStream a_ = nullptr;
  aclrtStream b_ = nullptr;
};

TEST_F(StreamOrderedPool, GivesDeviceMemoryThatTheStreamUses) {
  void* memory = take(1000, a_);
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, 1000));
  ACL_OK(aclrtMemsetAsync(memory, 1000, 9, 1000, a_));
  ACL_OK(aclrtMemcpyAsync(pinned, 1000, memory, 1000, ACL_MEMCPY_DEVICE_TO_HOST, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtSynchronizeStream(a_));
  EXPECT_EQ(static_cast<char*>(pinned)[999], 9);
  ACL_OK(aclrtFreeHost(pinned));
}

TEST_F(StreamOrderedPool, BlocksAreAlignedApartAndKnownExactly) {
  char* one = static_cast<char*>(take(100, a_));
  char* two = static_cast<char*>(take(3 * kMiB, a_));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(one) % 64, 0u);
  aclrtPtrAttributes attributes;
  ACL_OK(aclrtPointerGetAttributes(one + 99, &attributes));
  EXPECT_EQ(attributes.location.type, ACL_MEM_LOCATION_TYPE_DEVICE);
  void* base = nullptr;
  size_t size = 0;
  ACL_OK(aclrtMemGetAddressRange(two + kMiB, &base, &size));
  EXPECT_EQ(base, two);
  EXPECT_EQ(size, 3 * kMiB);
  ACL_OK(aclrtMemset(one, 100, 1, 100));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(one, 200, 1, 101));
}

TEST_F(StreamOrderedPool, TheSameStreamHasItsBlockAgainAtOnce) {
  void* memory = take(5000, a_);
  Gate gate;
  ACL_OK(gate.close(a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  EXPECT_EQ(take(5000, a_), memory);
  gate.open();
}

TEST_F(StreamOrderedPool, AnotherStreamHasItOnlyWhenTheFirstIsThrough) {
  keep_everything();
  void* memory = take(2 * kMiB, a_);
  {
    Gate gate;
    ACL_OK(gate.close(a_));
    const OpenAtEnd end(gate, a_);
    ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
    EXPECT_NE(take(2 * kMiB, b_), memory);
  }
  EXPECT_EQ(take(2 * kMiB, b_), memory);
}

TEST_F(StreamOrderedPool, WithoutOpportunismThatTakesASynchronisation) {
  keep_everything();
  set_switch(ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC, 0);
  void* memory = take(2 * kMiB, a_);
  ACL_OK(aclrtMemsetAsync(memory, 1, 1, 1, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  aclrtStreamStatus status = ACL_STREAM_STATUS_NOT_READY;
  while (status == ACL_STREAM_STATUS_NOT_READY) {
    ACL_OK(aclrtStreamQuery(a_, &status));
  }
  EXPECT_NE(take(2 * kMiB, b_), memory);
  ACL_OK(aclrtSynchronizeStream(a_));
  EXPECT_EQ(take(2 * kMiB, b_), memory);
}

TEST_F(StreamOrderedPool, AWaitForAnEventAfterTheFreeIsEnough) {
  void* memory = take(2 * kMiB, a_);
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  Gate gate;
  ACL_OK(gate.close(a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtRecordEvent(event, a_));
  ACL_OK(aclrtStreamWaitEvent(b_, event));
  set_switch(ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES, 0);
  void* other = take(2 * kMiB, b_);
  EXPECT_NE(other, memory);
  set_switch(ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES, 1);
  EXPECT_EQ(take(2 * kMiB, b_), memory);
  gate.open();
}

TEST_F(StreamOrderedPool, AWaitForAnEventBeforeTheFreeIsNot) {
  void* memory = take(2 * kMiB, a_);
  ACL_OK(aclrtMemPoolFreeAsync(take(100, a_), a_));  // events of a_ are followed from here on
  aclrtEvent event = nullptr;
  ACL_OK(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC));
  Gate gate;
  ACL_OK(gate.close(a_));
  ACL_OK(aclrtRecordEvent(event, a_));
  ACL_OK(aclrtMemsetAsync(memory, 2 * kMiB, 1, 2 * kMiB, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtStreamWaitEvent(b_, event));
  EXPECT_NE(take(2 * kMiB, b_), memory);
  gate.open();
}

TEST_F(StreamOrderedPool, TheRuntimeInsertsTheWaitWhenAllowed) {
  set_switch(ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES, 1);
  void* memory = take(2 * kMiB, a_);
  Gate gate;
  ACL_OK(gate.close(a_));
  ACL_OK(aclrtMemsetAsync(memory, 100, 1, 100, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ASSERT_EQ(take(2 * kMiB, b_), memory);
  ACL_OK(aclrtMemsetAsync(memory, 100, 2, 100, b_));
  aclrtStreamStatus status;
  ACL_OK(aclrtStreamQuery(b_, &status));
  EXPECT_EQ(status, ACL_STREAM_STATUS_NOT_READY);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(b_));
  EXPECT_EQ(*static_cast<char*>(memory), 2) << "b came before a";
}

TEST_F(StreamOrderedPool, ADestroyedStreamsBlocksAreFree) {
  keep_everything();
  set_switch(ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC, 0);
  void* memory = take(2 * kMiB, a_);
  ACL_OK(aclrtMemsetAsync(memory, 1, 1, 1, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtDestroyStream(a_));
  EXPECT_EQ(take(2 * kMiB, b_), memory);
}

TEST_F(StreamOrderedPool, ReservedMemoryCountsAndTheThresholdDecidesWhatASynchronisationGivesBack) {
  const size_t before = device_free();
  void* one = take(4 * kMiB, a_);
  void* two = take(6 * kMiB, a_);
  EXPECT_EQ(before - device_free(), 10 * kMiB);
  EXPECT_EQ(figure(ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT), 10 * kMiB);
  EXPECT_EQ(figure(ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT), 10 * kMiB);
  uint64_t threshold = 5 * kMiB;
  ACL_OK(aclrtMemPoolSetAttr(pool_, ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD, &threshold));
  EXPECT_EQ(figure(ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD), threshold);
  ACL_OK(aclrtMemPoolFreeAsync(one, a_));
  ACL_OK(aclrtMemPoolFreeAsync(two, a_));
  EXPECT_EQ(before - device_free(), 10 * kMiB) << "until the stream is synchronised";
  ACL_OK(aclrtSynchronizeStream(a_));
  EXPECT_EQ(figure(ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT), 0u);
  EXPECT_EQ(before - device_free(), 6 * kMiB);
  threshold = 0;
  ACL_OK(aclrtMemPoolSetAttr(pool_, ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD, &threshold));
  ACL_OK(aclrtSynchronizeDevice());
  EXPECT_EQ(before, device_free());
}

TEST_F(StreamOrderedPool, TrimToBeatsTheThreshold) {
  const size_t before = device_free();
  keep_everything();
  for (void* memory : {take(4 * kMiB, a_), take(6 * kMiB, a_)}) {
    ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  }
  ACL_OK(aclrtSynchronizeStream(a_));
  ACL_OK(aclrtMemPoolTrimTo(pool_, 7 * kMiB));
  EXPECT_EQ(before - device_free(), 10 * kMiB) << "without either chunk less than 7 MiB would stay";
  ACL_OK(aclrtMemPoolTrimTo(pool_, 6 * kMiB));
  EXPECT_EQ(before - device_free(), 6 * kMiB);
  ACL_OK(aclrtMemPoolTrimTo(pool_, 0));
  EXPECT_EQ(before, device_free());
}

TEST_F(StreamOrderedPool, HighMarksStayUntilTheyAreSetToZero) {
  void* memory = take(4 * kMiB, a_);
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtSynchronizeStream(a_));
  EXPECT_EQ(figure(ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH), 4 * kMiB);
  EXPECT_EQ(figure(ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH), 4 * kMiB);
  for (aclrtMemPoolAttr attr : {ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH, ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH}) {
    uint64_t value = 1;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolSetAttr(pool_, attr, &value));
    value = 0;
    ACL_OK(aclrtMemPoolSetAttr(pool_, attr, &value));
    EXPECT_EQ(figure(attr), 0u);
  }
}

TEST_F(StreamOrderedPool, AttributesHaveTheirDefaultsAndLimits) {
  const struct {
    aclrtMemPoolAttr attr;
    uint32_t wanted;
  } switches[] = {{ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES, 1},
                  {ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC, 1},
                  {ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES, 0}};
  for (const auto& row : switches) {
    uint32_t pair[2] = {7, 7};
    ACL_OK(aclrtMemPoolGetAttr(pool_, row.attr, &pair[0]));
    EXPECT_EQ(pair[0], row.wanted) << row.attr;
    EXPECT_EQ(pair[1], 7u) << "32 bits wide";
    uint32_t two = 2;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolSetAttr(pool_, row.attr, &two));
  }
  EXPECT_EQ(figure(ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD), 0u);
  uint64_t value = 0;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolSetAttr(pool_, ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT, &value));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolSetAttr(pool_, ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT, &value));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolGetAttr(pool_, static_cast<aclrtMemPoolAttr>(9), &value));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolSetAttr(pool_, static_cast<aclrtMemPoolAttr>(0), &value));
}

TEST_F(StreamOrderedPool, StopsAtItsMaximum) {
  pool_ = make_pool(4 * kMiB);
  void* memory = kInvented;
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMemPoolMallocAsync(&memory, 4 * kMiB + 1, pool_, a_));
  void* one = take(2 * kMiB, a_);
  void* two = take(2 * kMiB, a_);
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMemPoolMallocAsync(&memory, 1, pool_, a_));
  EXPECT_EQ(memory, kInvented);
  ACL_OK(aclrtMemPoolFreeAsync(one, a_));
  ACL_OK(aclrtMemPoolFreeAsync(two, a_));
  ACL_OK(aclrtSynchronizeStream(a_));
  take(4 * kMiB, a_);  // two small chunks make room for a large one
}

TEST_F(StreamOrderedPool, AFullDeviceTakesBackWhatPoolsKeep) {
  keep_everything();
  void* memory = take(kHbmBytes / 2, a_);
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtSynchronizeStream(a_));
  EXPECT_EQ(device_free(), kHbmBytes / 2);
  void* large = nullptr;
  ACL_OK(aclrtMalloc(&large, kHbmBytes - 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMemPoolMallocAsync(&memory, 1, pool_, a_));
  ACL_OK(aclrtFree(large));
  take(kHbmBytes, a_);
}

TEST_F(StreamOrderedPool, UsageTellsPoolsApart) {
  take(8 * kMiB, a_);
  aclrtMemUsageInfo info[2];
  size_t count = 0;
  ACL_OK(aclrtGetMemUsageInfo(0, info, 2, &count));
  ASSERT_EQ(count, 2u);
  EXPECT_STREQ(info[0].name, "aclrtMemPool");
  EXPECT_EQ(info[0].curMemSize, 8 * kMiB);
}

TEST_F(StreamOrderedPool, WrongFreesAreErrorsAndChangeNothing) {
  void* memory = take(1000, a_);
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  int on_stack = 0;
  ACL_CODE(kCode, aclrtMemPoolFreeAsync(&on_stack, a_));
  ACL_CODE(kCode, aclrtMemPoolFreeAsync(static_cast<char*>(memory) + 512, a_));
  ACL_CODE(kCode, aclrtFree(memory));
  void* plain = nullptr;
  ACL_OK(aclrtMalloc(&plain, 1000, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_CODE(kCode, aclrtMemPoolFreeAsync(plain, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_CODE(kCode, aclrtMemPoolFreeAsync(memory, a_));
  ACL_CODE(kCode, aclrtMemset(memory, 1000, 0, 1000));  // of nobody now
  ACL_OK(aclrtSynchronizeStream(a_));
  ACL_CODE(kCode, aclrtMemset(memory, 1000, 0, 1000));  // not even there
}

TEST_F(StreamOrderedPool, ADestroyedPoolKeepsItsLiveBlocks) {
  const size_t before = device_free();
  void* memory = take(2 * kMiB, a_);
  ACL_OK(aclrtMemPoolDestroy(pool_));
  void* more = nullptr;
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemPoolMallocAsync(&more, 100, pool_, a_));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemPoolDestroy(pool_));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemPoolTrimTo(pool_, 0));
  ACL_OK(aclrtMemsetAsync(memory, 100, 1, 100, a_));
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtSynchronizeStream(a_));
  EXPECT_EQ(before, device_free());
}

TEST_F(StreamOrderedPool, AResetDeviceTakesItsPoolsAlong) {
  take(2 * kMiB, a_);
  ACL_OK(aclrtResetDevice(0));
  ACL_OK(aclrtSetDevice(0));
  EXPECT_EQ(device_free(), kHbmBytes);
  void* memory = nullptr;
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemPoolMallocAsync(&memory, 100, pool_, nullptr));
}

TEST_F(StreamOrderedPool, WrongPropertiesAreRefused) {
  aclrtMemPoolProps props{};
  props.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
  aclrtMemPool pool = nullptr;
  const auto refused = [&](int code, auto&& change) {
    aclrtMemPoolProps wrong = props;
    change(wrong);
    ACL_CODE(code, aclrtMemPoolCreate(&pool, &wrong));
  };
  refused(ACL_ERROR_RT_PARAM_INVALID, [](auto& p) { p.location.type = ACL_MEM_LOCATION_TYPE_HOST; });
  refused(ACL_ERROR_RT_INVALID_DEVICEID, [](auto& p) { p.location.id = kDevices; });
  refused(ACL_ERROR_RT_INVALID_DEVICEID, [](auto& p) { p.location.id = ~0u; });
  refused(ACL_ERROR_RT_INVALID_DEVICEID, [](auto& p) { p.location.id = 2; });  // not open
  refused(ACL_ERROR_RT_PARAM_INVALID, [](auto& p) { p.allocType = static_cast<aclrtMemAllocationType>(1); });
  refused(ACL_ERROR_RT_PARAM_INVALID, [](auto& p) { p.handleType = static_cast<aclrtMemHandleType>(1); });
  refused(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, [](auto& p) { p.handleType = ACL_MEM_HANDLE_TYPE_POSIX; });
}

TEST_F(StreamOrderedPool, AStreamOfAnotherDeviceIsRefused) {
  void* memory = take(100, a_);
  ACL_OK(aclrtSetDevice(kNear));
  void* more = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolMallocAsync(&more, 100, pool_, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolFreeAsync(memory, nullptr));
}

TEST_F(StreamOrderedPool, SizeZeroAndNullAre100000) {
  void* memory = nullptr;
  aclrtMemPoolProps props{};
  uint64_t value = 0;
  constexpr int kCode = ACL_ERROR_INVALID_PARAM;
  ACL_CODE(kCode, aclrtMemPoolMallocAsync(&memory, 0, pool_, a_));
  ACL_CODE(kCode, aclrtMemPoolMallocAsync(nullptr, 1, pool_, a_));
  ACL_CODE(kCode, aclrtMemPoolMallocAsync(&memory, 1, nullptr, a_));
  ACL_CODE(kCode, aclrtMemPoolFreeAsync(nullptr, a_));
  ACL_CODE(kCode, aclrtMemPoolCreate(nullptr, &props));
  ACL_CODE(kCode, aclrtMemPoolCreate(&memory, nullptr));
  ACL_CODE(kCode, aclrtMemPoolDestroy(nullptr));
  ACL_CODE(kCode, aclrtMemPoolTrimTo(nullptr, 0));
  ACL_CODE(kCode, aclrtMemPoolGetAttr(pool_, ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD, nullptr));
  ACL_CODE(kCode, aclrtMemPoolSetAttr(nullptr, ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD, &value));
}

TEST_F(StreamOrderedPool, TheDefaultStreamIsAStreamLikeOthers) {
  void* memory = take(5000, nullptr);
  ACL_OK(aclrtMemPoolFreeAsync(memory, nullptr));
  aclrtStream its_handle = nullptr;
  ACL_OK(aclrtCtxGetCurrentDefaultStream(&its_handle));
  EXPECT_EQ(take(5000, its_handle), memory);
}

// Every block is filled with a mark and read back in stream order: whoever gets it too early overwrites it.
TEST_F(StreamOrderedPool, NobodySeesAnothersBlockUnderLoad) {
  set_switch(ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES, 1);
  constexpr int kRounds = 400;
  constexpr size_t kMost = 20'000;
  const auto work = [&](aclrtStream stream, unsigned seed) {
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    std::mt19937 random(seed);
    char* seen = nullptr;
    ASSERT_EQ(aclrtMallocHost(reinterpret_cast<void**>(&seen), kRounds * 2), ACL_SUCCESS);
    for (int round = 0; round < kRounds; ++round) {
      const size_t bytes = 1 + random() % kMost;
      void* memory = take(bytes, stream);
      ASSERT_EQ(aclrtMemsetAsync(memory, bytes, round, bytes, stream), ACL_SUCCESS) << why();
      ASSERT_EQ(aclrtMemcpyAsync(seen + 2 * round, 1, memory, 1, ACL_MEMCPY_DEVICE_TO_HOST, stream), ACL_SUCCESS);
      ASSERT_EQ(aclrtMemcpyAsync(seen + 2 * round + 1, 1, static_cast<char*>(memory) + bytes - 1, 1,
                                 ACL_MEMCPY_DEVICE_TO_HOST, stream), ACL_SUCCESS);
      ASSERT_EQ(aclrtMemPoolFreeAsync(memory, stream), ACL_SUCCESS) << why();
    }
    ASSERT_EQ(aclrtSynchronizeStream(stream), ACL_SUCCESS) << why();
    for (int i = 0; i < 2 * kRounds; ++i) {
      ASSERT_EQ(seen[i], static_cast<char>(i / 2)) << i;
    }
    ASSERT_EQ(aclrtFreeHost(seen), ACL_SUCCESS);
    ASSERT_EQ(aclrtResetDevice(0), ACL_SUCCESS);
  };
  std::thread other([&] { work(b_, 2); });
  work(a_, 1);
  other.join();
}

}  // namespace
}  // namespace canopy::test
