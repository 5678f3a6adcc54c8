// Pools of device memory in stream order: what they keep, their attributes and limits, wrong calls.
#include "runtime/driver/driver.h"
#include "tests/unit/api/stream_ordered_pool.h"

#include <barrier>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class StreamOrderedPoolLimits : public StreamOrderedPool {};

TEST_F(StreamOrderedPoolLimits,
       ReservedMemoryCountsAndTheThresholdDecidesWhatASynchronisationGivesBack) {
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

TEST_F(StreamOrderedPoolLimits, TrimToBeatsTheThreshold) {
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

TEST_F(StreamOrderedPoolLimits, HighMarksStayUntilTheyAreSetToZero) {
  void* memory = take(4 * kMiB, a_);
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtSynchronizeStream(a_));
  EXPECT_EQ(figure(ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH), 4 * kMiB);
  EXPECT_EQ(figure(ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH), 4 * kMiB);
  for (aclrtMemPoolAttr attr :
       {ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH, ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH}) {
    uint64_t value = 1;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolSetAttr(pool_, attr, &value));
    value = 0;
    ACL_OK(aclrtMemPoolSetAttr(pool_, attr, &value));
    EXPECT_EQ(figure(attr), 0u);
  }
}

TEST_F(StreamOrderedPoolLimits, AttributesHaveTheirDefaultsAndLimits) {
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
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemPoolSetAttr(pool_, ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT, &value));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemPoolSetAttr(pool_, ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT, &value));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemPoolGetAttr(pool_, static_cast<aclrtMemPoolAttr>(9), &value));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemPoolSetAttr(pool_, static_cast<aclrtMemPoolAttr>(0), &value));
}

TEST_F(StreamOrderedPoolLimits, StopsAtItsMaximum) {
  pool_ = make_pool(4 * kMiB);
  void* memory = kInvented;
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION,
           aclrtMemPoolMallocAsync(&memory, 4 * kMiB + 1, pool_, a_));
  void* one = take(2 * kMiB, a_);
  void* two = take(2 * kMiB, a_);
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION, aclrtMemPoolMallocAsync(&memory, 1, pool_, a_));
  EXPECT_EQ(memory, kInvented);
  ACL_OK(aclrtMemPoolFreeAsync(one, a_));
  ACL_OK(aclrtMemPoolFreeAsync(two, a_));
  ACL_OK(aclrtSynchronizeStream(a_));
  take(4 * kMiB, a_);  // two small chunks make room for a large one
}

TEST_F(StreamOrderedPoolLimits, AFullDeviceTakesBackWhatPoolsKeep) {
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

TEST_F(StreamOrderedPoolLimits, SoDoesOneFullForMemoryThatIsExported) {
  keep_everything();
  void* memory = take(kHbmBytes / 2, a_);
  ACL_OK(aclrtMemPoolFreeAsync(memory, a_));
  ACL_OK(aclrtSynchronizeStream(a_));
  auto driver = Driver::current();
  ASSERT_TRUE(driver);
  const auto physical = (*driver)->allocate_physical(0, kHbmBytes);
  EXPECT_TRUE(physical) << error_text::newest();
}

TEST_F(StreamOrderedPoolLimits, UsageTellsPoolsApart) {
  take(8 * kMiB, a_);
  aclrtMemUsageInfo info[2];
  size_t count = 0;
  ACL_OK(aclrtGetMemUsageInfo(0, info, 2, &count));
  ASSERT_EQ(count, 2u);
  EXPECT_STREQ(info[0].name, "aclrtMemPool");
  EXPECT_EQ(info[0].curMemSize, 8 * kMiB);
}

TEST_F(StreamOrderedPoolLimits, WrongFreesAreErrorsAndChangeNothing) {
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

TEST_F(StreamOrderedPoolLimits, ADestroyedPoolKeepsItsLiveBlocks) {
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

TEST_F(StreamOrderedPoolLimits, AResetDeviceTakesItsPoolsAlong) {
  take(2 * kMiB, a_);
  ACL_OK(aclrtResetDevice(0));
  ACL_OK(aclrtSetDevice(0));
  EXPECT_EQ(device_free(), kHbmBytes);
  void* memory = nullptr;
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtMemPoolMallocAsync(&memory, 100, pool_, nullptr));
}

TEST_F(StreamOrderedPoolLimits, WrongPropertiesAreRefused) {
  aclrtMemPoolProps props{};
  props.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
  aclrtMemPool pool = nullptr;
  const auto refused = [&](int code, auto&& change) {
    aclrtMemPoolProps wrong = props;
    change(wrong);
    ACL_CODE(code, aclrtMemPoolCreate(&pool, &wrong));
  };
  refused(ACL_ERROR_RT_PARAM_INVALID,
          [](auto& p) { p.location.type = ACL_MEM_LOCATION_TYPE_HOST; });
  refused(ACL_ERROR_RT_INVALID_DEVICEID, [](auto& p) { p.location.id = kDevices; });
  refused(ACL_ERROR_RT_INVALID_DEVICEID, [](auto& p) { p.location.id = ~0u; });
  EXPECT_STREQ(why(), "aclrtMemPoolCreate: device -1 does not exist");
  refused(ACL_ERROR_RT_INVALID_DEVICEID, [](auto& p) { p.location.id = 2; });  // not open
  refused(ACL_ERROR_RT_PARAM_INVALID,
          [](auto& p) { p.allocType = static_cast<aclrtMemAllocationType>(1); });
  refused(ACL_ERROR_RT_PARAM_INVALID,
          [](auto& p) { p.handleType = static_cast<aclrtMemHandleType>(1); });
  refused(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
          [](auto& p) { p.handleType = ACL_MEM_HANDLE_TYPE_POSIX; });
}

TEST_F(StreamOrderedPoolLimits, AStreamOfAnotherDeviceIsRefused) {
  void* memory = take(100, a_);
  ACL_OK(aclrtSetDevice(kNear));
  void* more = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolMallocAsync(&more, 100, pool_, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemPoolFreeAsync(memory, nullptr));
}

// The pool holds both blocks, in the one chunk that both threads have to wait for.
TEST_F(StreamOrderedPoolLimits, ThreadsThatMakeItGrowAtOnceShareTheChunk) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 300; ++round) {
    aclrtMemPoolProps props{};
    props.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
    props.maxSize = 2 * kMiB;
    aclrtMemPool pool = nullptr;
    ACL_OK(aclrtMemPoolCreate(&pool, &props));
    std::barrier ready(kThreads);
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
        void* memory = nullptr;
        ready.arrive_and_wait();
        EXPECT_EQ(aclrtMemPoolMallocAsync(&memory, 2 * kMiB / kThreads, pool, a_), ACL_SUCCESS) << why();
        ready.arrive_and_wait();
        EXPECT_EQ(aclrtMemPoolFreeAsync(memory, a_), ACL_SUCCESS) << why();
      });
    }
    threads.clear();
    ACL_OK(aclrtMemPoolDestroy(pool));
  }
}

TEST_F(StreamOrderedPoolLimits, SizeZeroAndNullAre100000) {
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

}  // namespace
}  // namespace canopy::test
