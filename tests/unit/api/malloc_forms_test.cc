// The forms of allocation, what an address is, and what memory there is.
#include "tests/unit/api/gate.h"

#include <cstring>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

class MallocForms : public AclTest {
 protected:
  static size_t free_bytes() {
    size_t free = 0;
    size_t total = 0;
    EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), ACL_SUCCESS) << why();
    return free;
  }
  static aclrtPtrAttributes attributes(const void* ptr) {
    aclrtPtrAttributes attributes{};
    EXPECT_EQ(aclrtPointerGetAttributes(ptr, &attributes), ACL_SUCCESS) << why();
    return attributes;
  }
  static size_t length(void* ptr) {
    void* base = nullptr;
    size_t size = 0;
    EXPECT_EQ(aclrtMemGetAddressRange(ptr, &base, &size), ACL_SUCCESS) << why();
    return size;
  }
  static void* take(size_t size, int policy = ACL_MEM_MALLOC_HUGE_FIRST) {
    void* memory = nullptr;
    EXPECT_EQ(aclrtMalloc(&memory, size, static_cast<aclrtMemMallocPolicy>(policy)), ACL_SUCCESS)
        << why();
    return memory;
  }
};

TEST_F(MallocForms, MallocCountsStepsOfThirtyTwoAndOneMore) {
  EXPECT_EQ(length(take(1)), 64u);
  EXPECT_EQ(length(take(32)), 64u);
  EXPECT_EQ(length(take(33)), 96u);
}

TEST_F(MallocForms, Align32CountsStepsOfThirtyTwoOnly) {
  void* memory = nullptr;
  ACL_OK(aclrtMallocAlign32(&memory, 33, ACL_MEM_MALLOC_HUGE_FIRST));
  EXPECT_EQ(length(memory), 64u);
  const size_t before = free_bytes();
  ACL_OK(aclrtMallocAlign32(&memory, 2 * kMiB, ACL_MEM_MALLOC_HUGE_FIRST));
  EXPECT_EQ(before - free_bytes(), 2 * kMiB);
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtMallocAlign32(&memory, 0, ACL_MEM_MALLOC_HUGE_FIRST));
}

TEST_F(MallocForms, PagesOfOneGigabyteHaveNoPad) {
  EXPECT_EQ(length(take(64, ACL_MEM_MALLOC_HUGE1G_ONLY)), 64u);
}

TEST_F(MallocForms, CachedMemoryIsOrdinaryMemory) {
  void* memory = nullptr;
  ACL_OK(aclrtMallocCached(&memory, 1000, ACL_MEM_MALLOC_NORMAL_ONLY));
  std::memset(memory, 1, 1000);
  ACL_OK(aclrtMemFlush(memory, 1000));
  ACL_OK(aclrtMemInvalidate(memory, 1000));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemFlush(memory, 4000));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemInvalidate(memory, 0));
  int on_stack = 0;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemFlush(&on_stack, 4));
  ACL_OK(aclrtFree(memory));
}

TEST_F(MallocForms, ThePolicyDecidesThePages) {
  const struct {
    int policy;
    size_t size;
    uint32_t page;
  } rows[] = {
      {ACL_MEM_MALLOC_HUGE_FIRST, kMiB, 4096},
      {ACL_MEM_MALLOC_HUGE_FIRST, kMiB + 1, 2 << 20},
      {ACL_MEM_MALLOC_HUGE_FIRST_P2P, kMiB + 1, 2 << 20},
      {ACL_MEM_MALLOC_HUGE_ONLY, 100, 2 << 20},
      {ACL_MEM_MALLOC_HUGE_ONLY_P2P, 100, 2 << 20},
      {ACL_MEM_MALLOC_NORMAL_ONLY, 4 * kMiB, 4096},
      {ACL_MEM_MALLOC_NORMAL_ONLY_P2P, 4 * kMiB, 4096},
      {ACL_MEM_MALLOC_HUGE1G_ONLY, 100, 1 << 30},
      {ACL_MEM_MALLOC_HUGE1G_ONLY_P2P, 100, 1 << 30},
      {12345, 2 * kMiB - 1, 4096},  // unknown: by size alone
      {12345, 2 * kMiB, 2 << 20},
  };
  for (const auto& row : rows) {
    void* memory = take(row.size, row.policy);
    EXPECT_EQ(attributes(memory).pageSize, row.page)
        << "policy " << row.policy << " size " << row.size;
    ACL_OK(aclrtFree(memory));
  }
}

TEST_F(MallocForms, WithConfigTakesEveryAttribute) {
  aclrtMallocAttribute all[4] = {};
  all[0].attr = ACL_RT_MEM_ATTR_RSV;
  all[1].attr = ACL_RT_MEM_ATTR_MODULE_ID;
  all[1].value.moduleId = 7;
  all[2].attr = ACL_RT_MEM_ATTR_DEVICE_ID;
  all[2].value.deviceId = 0;
  all[3].attr = ACL_RT_MEM_ATTR_VA_FLAG;
  all[3].value.vaFlag = 1;
  aclrtMallocConfig config = {all, 4};
  void* memory = nullptr;
  ACL_OK(aclrtMallocWithCfg(&memory, 100, ACL_MEM_MALLOC_HUGE_ONLY, &config));
  ACL_OK(aclrtFree(memory));
  ACL_OK(aclrtMallocForTaskScheduler(&memory, 100, ACL_MEM_MALLOC_NORMAL_ONLY, &config));
  ACL_OK(aclrtFree(memory));
  ACL_OK(aclrtMallocHostWithCfg(&memory, 100, &config));
  EXPECT_EQ(attributes(memory).location.type, ACL_MEM_LOCATION_TYPE_HOST);
  ACL_OK(aclrtFreeHost(memory));
}

TEST_F(MallocForms, WithoutAConfigTheConfigFormsAllocate) {
  void* memory = nullptr;
  // Modifiers may be added to the policy here.
  ACL_OK(aclrtMallocWithCfg(
      &memory, 100,
      static_cast<aclrtMemMallocPolicy>(ACL_MEM_MALLOC_HUGE_ONLY | ACL_MEM_TYPE_HIGH_BAND_WIDTH),
      nullptr));
  EXPECT_EQ(attributes(memory).pageSize, 2u << 20);
  ACL_OK(aclrtMallocForTaskScheduler(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST, nullptr));
  ACL_OK(aclrtMallocHostWithCfg(&memory, 100, nullptr));
  ACL_OK(aclrtFreeHost(memory));
}

TEST_F(MallocForms, TheConfigNamesTheDevice) {
  ACL_OK(aclrtSetDevice(kNear));
  aclrtMallocAttribute attribute = {};
  attribute.attr = ACL_RT_MEM_ATTR_DEVICE_ID;
  attribute.value.deviceId = 0;
  aclrtMallocConfig config = {&attribute, 1};
  void* memory = nullptr;
  ACL_OK(aclrtMallocWithCfg(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST, &config));
  EXPECT_EQ(attributes(memory).location.id, 0u);
  for (uint32_t device : {static_cast<uint32_t>(kStaged), 63u, 64u, ~0u}) {  // closed, or not there
    attribute.value.deviceId = device;
    ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID,
             aclrtMallocWithCfg(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST, &config));
  }
  EXPECT_STREQ(why(), "cfg: device -1 does not exist");
}

TEST_F(MallocForms, AWrongConfigIs107000) {
  aclrtMallocAttribute attribute = {};
  aclrtMallocConfig config = {&attribute, 1};
  void* memory = kInvented;
  attribute.attr = static_cast<aclrtMallocAttrType>(4);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMallocWithCfg(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST, &config));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMallocHostWithCfg(&memory, 100, &config));
  attribute.attr = ACL_RT_MEM_ATTR_VA_FLAG;
  attribute.value.vaFlag = 2;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMallocHostWithCfg(&memory, 100, &config));
  attribute.value.vaFlag = 1;
  config.numAttrs = ~size_t{0};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMallocHostWithCfg(&memory, 100, &config)) << "more than can be meant";
  config.attrs = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMallocForTaskScheduler(&memory, 100, ACL_MEM_MALLOC_HUGE_FIRST, &config));
  ACL_CODE(ACL_ERROR_INVALID_PARAM,
           aclrtMallocWithCfg(&memory, 0, ACL_MEM_MALLOC_HUGE_FIRST, nullptr));
  EXPECT_EQ(memory, kInvented);
}

TEST_F(MallocForms, FreeWithDevSyncWaitsForTheDevice) {
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  void* device = take(100);
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, 100));
  std::memset(pinned, 3, 100);
  Gate gate;
  ACL_OK(gate.close(stream));
  ACL_OK(aclrtMemcpyAsync(device, 100, pinned, 100, ACL_MEMCPY_HOST_TO_DEVICE, stream));
  ACL_OK(aclrtMemcpyAsync(pinned, 100, device, 100, ACL_MEMCPY_DEVICE_TO_HOST, stream));
  std::thread opener([&] { gate.open(); });
  ACL_OK(aclrtFreeWithDevSync(device));
  aclrtStreamStatus status;
  ACL_OK(aclrtStreamQuery(stream, &status));
  EXPECT_EQ(status, ACL_STREAM_STATUS_COMPLETE);
  ACL_OK(aclrtFreeHostWithDevSync(pinned));
  opener.join();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtFreeWithDevSync(device));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtFreeHostWithDevSync(pinned));
}

TEST_F(MallocForms, InfoIsTheSameForAllPagesOfHbm) {
  size_t wanted = 0;
  size_t total = 0;
  ACL_OK(aclrtGetMemInfo(ACL_HBM_MEM, &wanted, &total));
  EXPECT_EQ(total, kHbmBytes);
  for (int attr = 0; attr <= ACL_MEM_P2P_HUGE1G + 1; ++attr) {
    size_t free = 1;
    ACL_OK(aclrtGetMemInfo(static_cast<aclrtMemAttr>(attr), &free, &total));
    const bool lacks = attr == ACL_DDR_MEM || attr == ACL_DDR_MEM_HUGE ||
                       attr == ACL_DDR_MEM_NORMAL || attr == ACL_DDR_MEM_P2P_HUGE ||
                       attr == ACL_DDR_MEM_P2P_NORMAL || attr > ACL_MEM_P2P_HUGE1G;
    EXPECT_EQ(free, lacks ? 0 : wanted) << attr;
    EXPECT_EQ(total, lacks ? 0 : kHbmBytes) << attr;
  }
}

TEST_F(MallocForms, UsageTellsWhatIsHeldAndThePeak) {
  void* memory = take(8 * kMiB - 64);
  aclrtMemUsageInfo info[4];
  size_t count = 0;
  ACL_OK(aclrtGetMemUsageInfo(0, info, 4, &count));
  ASSERT_GE(count, 1u);
  EXPECT_STREQ(info[0].name, "aclrtMalloc");
  EXPECT_EQ(info[0].curMemSize, 8 * kMiB);
  EXPECT_GE(info[0].memPeakSize, 8 * kMiB);
  ACL_OK(aclrtFree(memory));
  ACL_OK(aclrtGetMemUsageInfo(0, info, 1, &count));
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(info[0].curMemSize, 0u);
  EXPECT_GE(info[0].memPeakSize, 8 * kMiB);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtGetMemUsageInfo(0, info, 0, &count));
  ACL_CODE(ACL_ERROR_RT_INVALID_DEVICEID, aclrtGetMemUsageInfo(kDevices, info, 4, &count));
}

TEST_F(MallocForms, PointerAttributesTellWhatAnAddressIs) {
  ACL_OK(aclrtSetDevice(kNear));
  char* there = static_cast<char*>(take(1000));
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, 100));
  int on_stack = 0;
  EXPECT_EQ(attributes(there).location.type, ACL_MEM_LOCATION_TYPE_DEVICE);
  EXPECT_EQ(attributes(there + 999).location.id, static_cast<uint32_t>(kNear));
  EXPECT_EQ(attributes(pinned).location.type, ACL_MEM_LOCATION_TYPE_HOST);
  EXPECT_EQ(attributes(&on_stack).location.type, ACL_MEM_LOCATION_TYPE_UNREGISTERED);
  ACL_OK(aclrtFree(there));
  ACL_OK(aclrtFreeHost(pinned));
  EXPECT_EQ(attributes(there).location.type, ACL_MEM_LOCATION_TYPE_UNREGISTERED);
}

TEST_F(MallocForms, AddressRangeFindsTheAllocation) {
  char* memory = static_cast<char*>(take(5 * kMiB));
  void* base = nullptr;
  size_t size = 0;
  ACL_OK(aclrtMemGetAddressRange(memory + 3 * kMiB, &base, &size));
  EXPECT_EQ(base, memory);
  EXPECT_EQ(size, 5 * kMiB + 32);
  int on_stack = 0;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemGetAddressRange(&on_stack, &base, &size));
  ACL_OK(aclrtFree(memory));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemGetAddressRange(memory, &base, &size));
}

TEST_F(MallocForms, CheckMemTypeLooksAtEveryAddress) {
  int on_stack = 0;
  void* list[] = {take(100), take(200), &on_stack};
  uint32_t result = 9;
  ACL_OK(aclrtCheckMemType(list, 2, ACL_RT_MEM_TYPE_DEV, &result, 0));
  EXPECT_EQ(result, 1u);
  ACL_OK(aclrtCheckMemType(list, 3, ACL_RT_MEM_TYPE_DEV, &result, 0));
  EXPECT_EQ(result, 0u);
  ACL_OK(aclrtCheckMemType(list, 2, ACL_RT_MEM_TYPE_DVPP, &result, 0));
  EXPECT_EQ(result, 0u);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCheckMemType(list, 0, ACL_RT_MEM_TYPE_DEV, &result, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCheckMemType(list, 2, 1, &result, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCheckMemType(list, 2, ACL_RT_MEM_TYPE_DEV, &result, 1));
}

}  // namespace
}  // namespace canopy::test
