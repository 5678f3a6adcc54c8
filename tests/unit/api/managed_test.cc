// Managed memory: one address for the host and devices, advice, locations, prefetches.
#include "canopy/kernel.h"
#include "tests/unit/api/gate.h"

#include <cstring>
#include <vector>

namespace canopy::test {
namespace {

constexpr uint64_t kPage = 2 << 20;
constexpr aclrtMemManagedLocation kHostPlace = {ACL_MEM_LOCATIONTYPE_HOST, 0};

aclrtMemManagedLocation on_device(int id) { return {ACL_MEM_LOCATIONTYPE_DEVICE, id}; }

class Managed : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    memory_ = take(4 * kPage);
  }
  static char* take(uint64_t bytes) {
    void* memory = nullptr;
    EXPECT_EQ(aclrtMemAllocManaged(&memory, bytes, ACL_RT_MEM_ATTACH_GLOBAL), ACL_SUCCESS) << why();
    return static_cast<char*>(memory);
  }
  aclError advise(size_t page, size_t pages, aclrtMemManagedAdviseType advice,
                  aclrtMemManagedLocation where = kHostPlace) {
    return aclrtMemManagedAdvise(memory_ + page * kPage, pages * kPage, advice, where);
  }
  int32_t attribute(aclrtMemManagedRangeAttribute which, size_t page = 0, size_t pages = 4) {
    int32_t value = 4711;
    EXPECT_EQ(
        aclrtMemManagedGetAttr(which, memory_ + page * kPage, pages * kPage, &value, sizeof value),
        ACL_SUCCESS)
        << why();
    return value;
  }

  aclrtStream stream_ = nullptr;
  char* memory_ = nullptr;
};

__global__ __aicore__ void managed_add(GM_ADDR at, uint8_t value) {
  *at = static_cast<uint8_t>(*at + value);
}
CANOPY_KERNEL(managed_add)

TEST_F(Managed, HostAndKernelsShareTheAddress) {
  memory_[5] = 40;
  ASSERT_EQ(launch(managed_add, 1, stream_, reinterpret_cast<GM_ADDR>(memory_) + 5, uint8_t{2}),
            ACL_SUCCESS);
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(memory_[5], 42);
}

TEST_F(Managed, IsInPagesOfTwoMegabytes) {
  char* memory = take(1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % kPage, 0u);
  void* base = nullptr;
  size_t size = 0;
  ACL_OK(aclrtMemGetAddressRange(memory + kPage - 1, &base, &size));
  EXPECT_EQ(size, kPage);
  aclrtPtrAttributes attributes;
  ACL_OK(aclrtPointerGetAttributes(memory, &attributes));
  EXPECT_EQ(attributes.location.type, ACL_MEM_LOCATION_TYPE_MANAGED);
  EXPECT_EQ(attributes.pageSize, kPage);
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
TEST_F(Managed, LiesInTheDocumentedRange) {
  const auto at = reinterpret_cast<uintptr_t>(memory_);
  EXPECT_GE(at, 0x90000000000u);
  EXPECT_LT(at, 0x90000000000u + (uint64_t{3} << 40));
}
#endif

TEST_F(Managed, IsFreedOnceWithAclrtFree) {
  ACL_OK(aclrtFree(memory_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(memory_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(memory_, 1, 0, 1));
  char* memory = take(4 * kPage);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(memory + kPage));
  EXPECT_EQ(*memory, 0);
}

TEST_F(Managed, DoesNotCountAgainstADevice) {
  size_t free = 0;
  size_t total = 0;
  take(2 * kHbmBytes);  // more than the device has
  ACL_OK(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total));
  EXPECT_EQ(free, total);
}

TEST_F(Managed, CopiesInStreamOrderAndBetweenDevices) {
  void* device = nullptr;
  ACL_OK(aclrtMalloc(&device, 100, ACL_MEM_MALLOC_HUGE_FIRST));
  std::memset(memory_, 1, 100);
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemcpyAsync(device, 100, memory_, 100, ACL_MEMCPY_DEFAULT, stream_));
  ACL_OK(aclrtMemcpyAsync(memory_ + kPage, 100, device, 100, ACL_MEMCPY_DEFAULT, stream_));
  EXPECT_EQ(memory_[kPage], 0) << "the copy overtook the stream";
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(memory_[kPage + 99], 1);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemcpy(memory_, 5 * kPage, memory_, 5 * kPage, ACL_MEMCPY_DEFAULT));
}

TEST_F(Managed, WrongSizesAndFlagsAre107000) {
  void* memory = kInvented;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemAllocManaged(&memory, 0, ACL_RT_MEM_ATTACH_GLOBAL));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemAllocManaged(&memory, kPage, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemAllocManaged(&memory, kPage, 2));
  ACL_CODE(ACL_ERROR_RT_MEMORY_ALLOCATION,
           aclrtMemAllocManaged(&memory, ~uint64_t{0}, ACL_RT_MEM_ATTACH_GLOBAL));
  EXPECT_EQ(memory, kInvented);
}

TEST_F(Managed, ReadMostlyIsOneWhenAllPagesHaveIt) {
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY), 0);
  ACL_OK(advise(1, 2, ACL_MEM_ADVISE_SET_READ_MOSTLY));
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY), 0);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, 1, 2), 1);
  ACL_OK(advise(2, 1, ACL_MEM_ADVISE_UNSET_READ_MOSTLY));
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, 1, 2), 0);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, 1, 1), 1);
}

TEST_F(Managed, ThePreferredLocationIsNoneWhenMixed) {
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION), -2);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE),
            ACL_MEM_LOCATIONTYPE_INVALID);
  ACL_OK(advise(0, 4, ACL_MEM_ADVISE_SET_PREFERRED_LOCATION, on_device(3)));
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION), 3);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE),
            ACL_MEM_LOCATIONTYPE_DEVICE);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID), 3);
  ACL_OK(advise(0, 1, ACL_MEM_ADVISE_SET_PREFERRED_LOCATION, kHostPlace));
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION), -2);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION, 0, 1), -1);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE, 0, 1),
            ACL_MEM_LOCATIONTYPE_HOST);
  ACL_OK(advise(0, 4, ACL_MEM_ADVISE_UNSET_PREFERRED_LOCATION));
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE),
            ACL_MEM_LOCATIONTYPE_INVALID);
}

TEST_F(Managed, NumaNodesAreLocations) {
  ACL_OK(advise(0, 1, ACL_MEM_ADVISE_SET_PREFERRED_LOCATION, {ACL_MEM_LOCATIONTYPE_HOST_NUMA, 0}));
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE, 0, 1),
            ACL_MEM_LOCATIONTYPE_HOST_NUMA);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID, 0, 1), 0);
  ACL_OK(advise(0, 1, ACL_MEM_ADVISE_SET_PREFERRED_LOCATION,
                {ACL_MEM_LOCATIONTYPE_HOST_NUMA_CURRENT, 99}));
  EXPECT_GE(attribute(ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID, 0, 1), 0);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, advise(0, 1, ACL_MEM_ADVISE_SET_PREFERRED_LOCATION,
                                              {ACL_MEM_LOCATIONTYPE_HOST_NUMA, 100'000}));
}

TEST_F(Managed, AccessedByListsWhoReachesEveryPage) {
  ACL_OK(advise(0, 4, ACL_MEM_ADVISE_SET_ACCESSED_BY, on_device(2)));
  ACL_OK(advise(0, 4, ACL_MEM_ADVISE_SET_ACCESSED_BY, on_device(0)));
  ACL_OK(advise(0, 4, ACL_MEM_ADVISE_SET_ACCESSED_BY, kHostPlace));
  ACL_OK(advise(0, 1, ACL_MEM_ADVISE_SET_ACCESSED_BY, on_device(1)));
  const auto list = [&](size_t entries) {
    std::vector<int32_t> all(entries, 4711);
    EXPECT_EQ(aclrtMemManagedGetAttr(ACL_MEM_RANGE_ATTRIBUTE_ACCESSED_BY, memory_, 4 * kPage,
                                     all.data(), 4 * entries),
              ACL_SUCCESS);
    return all;
  };
  EXPECT_EQ(list(5), (std::vector<int32_t>{-1, 0, 2, -2, -2}));
  EXPECT_EQ(list(2), (std::vector<int32_t>{-1, 0}));
  ACL_OK(advise(3, 1, ACL_MEM_ADVISE_UNSET_ACCESSED_BY, on_device(0)));
  ACL_OK(advise(0, 4, ACL_MEM_ADVISE_UNSET_ACCESSED_BY, kHostPlace));
  EXPECT_EQ(list(2), (std::vector<int32_t>{2, -2}));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           advise(0, 1, ACL_MEM_ADVISE_SET_ACCESSED_BY, {ACL_MEM_LOCATIONTYPE_HOST_NUMA, 0}));
}

TEST_F(Managed, WrongAdviceIsRefused) {
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode, advise(0, 5, ACL_MEM_ADVISE_SET_READ_MOSTLY));
  ACL_CODE(kCode, advise(0, 0, ACL_MEM_ADVISE_SET_READ_MOSTLY));
  ACL_CODE(kCode,
           aclrtMemManagedAdvise(memory_, kPage + 1, ACL_MEM_ADVISE_SET_READ_MOSTLY, kHostPlace));
  ACL_CODE(kCode, advise(0, 1, static_cast<aclrtMemManagedAdviseType>(6)));
  ACL_CODE(kCode,
           advise(0, 1, ACL_MEM_ADVISE_SET_PREFERRED_LOCATION, {ACL_MEM_LOCATIONTYPE_INVALID, 0}));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID,
           advise(0, 1, ACL_MEM_ADVISE_SET_PREFERRED_LOCATION, on_device(kDevices)));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID,
           advise(0, 1, ACL_MEM_ADVISE_SET_PREFERRED_LOCATION, on_device(-1)));
  void* device = nullptr;
  ACL_OK(aclrtMalloc(&device, 2 * kPage, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_CODE(kCode, aclrtMemManagedAdvise(device, kPage, ACL_MEM_ADVISE_SET_READ_MOSTLY, kHostPlace));
}

TEST_F(Managed, AttributesHaveTheirWidths) {
  int32_t value[2] = {};
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode,
           aclrtMemManagedGetAttr(ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, memory_, kPage, value, 8));
  ACL_CODE(kCode,
           aclrtMemManagedGetAttr(ACL_MEM_RANGE_ATTRIBUTE_ACCESSED_BY, memory_, kPage, value, 6));
  ACL_CODE(kCode,
           aclrtMemManagedGetAttr(ACL_MEM_RANGE_ATTRIBUTE_ACCESSED_BY, memory_, kPage, value, 0));
  ACL_CODE(kCode, aclrtMemManagedGetAttr(static_cast<aclrtMemManagedRangeAttribute>(0), memory_,
                                         kPage, value, 4));
  ACL_CODE(kCode, aclrtMemManagedGetAttr(static_cast<aclrtMemManagedRangeAttribute>(9), memory_,
                                         kPage, value, 4));
  ACL_CODE(kCode,
           aclrtMemManagedGetAttr(ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, memory_, 0, value, 4));
}

TEST_F(Managed, SeveralAttributesAtOnce) {
  ACL_OK(advise(0, 4, ACL_MEM_ADVISE_SET_READ_MOSTLY));
  ACL_OK(advise(0, 4, ACL_MEM_ADVISE_SET_PREFERRED_LOCATION, on_device(1)));
  int32_t values[2] = {};
  aclrtMemManagedRangeAttribute which[] = {ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY,
                                           ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION};
  void* data[] = {&values[0], &values[1]};
  size_t sizes[] = {4, 4};
  ACL_OK(aclrtMemManagedGetAttrs(which, 2, memory_, 4 * kPage, data, sizes));
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(values[1], 1);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemManagedGetAttrs(which, 0, memory_, 4 * kPage, data, sizes));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemManagedGetAttrs(which, ~size_t{0}, memory_, 4 * kPage, data, sizes));
  data[1] = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemManagedGetAttrs(which, 2, memory_, 4 * kPage, data, sizes));
}

TEST_F(Managed, APrefetchIsNotedInStreamOrder) {
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemManagedPrefetchAsync(memory_, 4 * kPage, on_device(0), 0, stream_));
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION), -2);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION), 0);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE),
            ACL_MEM_LOCATIONTYPE_DEVICE);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID), 0);
}

TEST_F(Managed, APrefetchOfWhatWasFreedMeanwhileDoesNothing) {
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemManagedPrefetchAsync(memory_, 4 * kPage, on_device(0), 0, stream_));
  ACL_OK(aclrtFree(memory_));
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(Managed, ABatchOfPrefetchesGoesToItsLocations) {
  const void* ptrs[] = {memory_, memory_ + kPage, memory_ + 2 * kPage};
  size_t sizes[] = {kPage, kPage, 2 * kPage};
  aclrtMemManagedLocation places[] = {on_device(2), kHostPlace};
  size_t indexes[] = {0, 2};
  ACL_OK(aclrtMemManagedPrefetchBatchAsync(ptrs, sizes, 3, places, indexes, 2, 0, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION, 0, 2), 2);
  EXPECT_EQ(attribute(ACL_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION, 2, 2), -1);
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  indexes[0] = 1;
  ACL_CODE(kCode,
           aclrtMemManagedPrefetchBatchAsync(ptrs, sizes, 3, places, indexes, 2, 0, stream_));
  indexes[0] = 0;
  indexes[1] = 3;
  ACL_CODE(kCode,
           aclrtMemManagedPrefetchBatchAsync(ptrs, sizes, 3, places, indexes, 2, 0, stream_));
  ACL_CODE(kCode,
           aclrtMemManagedPrefetchBatchAsync(ptrs, sizes, 0, places, indexes, 1, 0, stream_));
  ACL_CODE(kCode,
           aclrtMemManagedPrefetchBatchAsync(ptrs, sizes, 1, places, indexes, 2, 0, stream_));
  ACL_CODE(kCode,
           aclrtMemManagedPrefetchBatchAsync(ptrs, sizes, 3, places, indexes, 1, 1, stream_));
}

TEST_F(Managed, WrongPrefetchesAre107000) {
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode, aclrtMemManagedPrefetchAsync(memory_, kPage / 2, on_device(0), 0, stream_));
  ACL_CODE(kCode, aclrtMemManagedPrefetchAsync(memory_, 5 * kPage, on_device(0), 0, stream_));
  ACL_CODE(kCode, aclrtMemManagedPrefetchAsync(memory_, kPage, on_device(0), 1, stream_));
  ACL_CODE(kCode, aclrtMemManagedPrefetchAsync(memory_, kPage, {ACL_MEM_LOCATIONTYPE_INVALID, 0}, 0,
                                               stream_));
}

}  // namespace
}  // namespace canopy::test
