// Every pointer of the memory functions, NULL in turn.
#include "tests/unit/api/gate.h"

#include <functional>
#include <string>

namespace canopy::test {
namespace {

class MemoryNull : public AclTest {};

TEST_F(MemoryNull, Is100000AndNamesTheParameter) {
  aclrtStream stream = nullptr;
  void* p = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  ACL_OK(aclrtMalloc(&p, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  void* out = nullptr;
  size_t size = 8;
  uint32_t number = 0;
  aclrtMemUsageInfo usage;
  aclrtPtrAttributes pointer;
  aclrtMemcpyBatchAttr attr{};
  aclrtMemManagedLocation place{};
  auto range = ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY;
  const void* in = p;
  constexpr auto kPolicy = ACL_MEM_MALLOC_HUGE_FIRST;
  constexpr auto kUp = ACL_MEMCPY_HOST_TO_DEVICE;
  constexpr auto kInner = ACL_MEMCPY_INNER_DEVICE_TO_DEVICE;
  constexpr auto kMapped = ACL_HOST_REGISTER_MAPPED;
  constexpr auto kPrefetch = ACL_RT_CMO_TYPE_PREFETCH;
  const struct {
    const char* name;
    std::function<aclError()> call;
  } calls[] = {
      {"aclrtMallocAlign32: devPtr", [&] { return aclrtMallocAlign32(nullptr, 8, kPolicy); }},
      {"aclrtMallocCached: devPtr", [&] { return aclrtMallocCached(nullptr, 8, kPolicy); }},
      {"aclrtMallocWithCfg: devPtr",
       [&] { return aclrtMallocWithCfg(nullptr, 8, kPolicy, nullptr); }},
      {"aclrtMallocForTaskScheduler: devPtr",
       [&] { return aclrtMallocForTaskScheduler(nullptr, 8, kPolicy, nullptr); }},
      {"aclrtFreeWithDevSync: devPtr", [&] { return aclrtFreeWithDevSync(nullptr); }},
      {"aclrtMallocHostWithCfg: ptr", [&] { return aclrtMallocHostWithCfg(nullptr, 8, nullptr); }},
      {"aclrtFreeHostWithDevSync: hostPtr", [&] { return aclrtFreeHostWithDevSync(nullptr); }},
      {"aclrtGetMemUsageInfo: memUsageInfo",
       [&] { return aclrtGetMemUsageInfo(0, nullptr, 1, &size); }},
      {"aclrtGetMemUsageInfo: outputNum",
       [&] { return aclrtGetMemUsageInfo(0, &usage, 1, nullptr); }},
      {"aclrtMemFlush: devPtr", [&] { return aclrtMemFlush(nullptr, 8); }},
      {"aclrtMemInvalidate: devPtr", [&] { return aclrtMemInvalidate(nullptr, 8); }},
      {"aclrtPointerGetAttributes: ptr",
       [&] { return aclrtPointerGetAttributes(nullptr, &pointer); }},
      {"aclrtPointerGetAttributes: attributes",
       [&] { return aclrtPointerGetAttributes(p, nullptr); }},
      {"aclrtMemGetAddressRange: ptr",
       [&] { return aclrtMemGetAddressRange(nullptr, &out, &size); }},
      {"aclrtMemGetAddressRange: pbase",
       [&] { return aclrtMemGetAddressRange(p, nullptr, &size); }},
      {"aclrtMemGetAddressRange: psize", [&] { return aclrtMemGetAddressRange(p, &out, nullptr); }},
      {"aclrtCheckMemType: addrList",
       [&] { return aclrtCheckMemType(nullptr, 1, ACL_RT_MEM_TYPE_DEV, &number, 0); }},
      {"aclrtCheckMemType: checkResult",
       [&] { return aclrtCheckMemType(&p, 1, ACL_RT_MEM_TYPE_DEV, nullptr, 0); }},
      {"aclrtHostRegister: ptr", [&] { return aclrtHostRegister(nullptr, 8, kMapped, &out); }},
      {"aclrtHostRegister: devPtr", [&] { return aclrtHostRegister(p, 8, kMapped, nullptr); }},
      {"aclrtHostRegisterV2: ptr",
       [&] { return aclrtHostRegisterV2(nullptr, 8, ACL_HOST_REG_MAPPED); }},
      {"aclrtHostGetDevicePointer: pHost",
       [&] { return aclrtHostGetDevicePointer(nullptr, &out, 0); }},
      {"aclrtHostGetDevicePointer: pDevice",
       [&] { return aclrtHostGetDevicePointer(p, nullptr, 0); }},
      {"aclrtHostUnregister: ptr", [&] { return aclrtHostUnregister(nullptr); }},
      {"aclrtHostMemMapCapabilities: capabilities",
       [&] { return aclrtHostMemMapCapabilities(0, ACL_RT_HAC_TYPE_AIC, nullptr); }},
      {"aclrtMemcpy2d: dst", [&] { return aclrtMemcpy2d(nullptr, 8, p, 8, 8, 1, kUp); }},
      {"aclrtMemcpy2d: src", [&] { return aclrtMemcpy2d(p, 8, nullptr, 8, 8, 1, kUp); }},
      {"aclrtMemcpy2dAsync: dst",
       [&] { return aclrtMemcpy2dAsync(nullptr, 8, p, 8, 8, 1, kUp, stream); }},
      {"aclrtMemcpy2dAsync: src",
       [&] { return aclrtMemcpy2dAsync(p, 8, nullptr, 8, 8, 1, kUp, stream); }},
      {"aclrtMemcpyAsyncWithCondition: dst",
       [&] { return aclrtMemcpyAsyncWithCondition(nullptr, 8, p, 8, kUp, stream); }},
      {"aclrtMemcpyAsyncWithCondition: src",
       [&] { return aclrtMemcpyAsyncWithCondition(p, 8, nullptr, 8, kUp, stream); }},
      {"aclrtMemcpyBatch: dsts",
       [&] { return aclrtMemcpyBatch(nullptr, &size, &p, &size, 1, &attr, &size, 1, &size); }},
      {"aclrtMemcpyBatch: destMaxs",
       [&] { return aclrtMemcpyBatch(&p, nullptr, &p, &size, 1, &attr, &size, 1, &size); }},
      {"aclrtMemcpyBatch: srcs",
       [&] { return aclrtMemcpyBatch(&p, &size, nullptr, &size, 1, &attr, &size, 1, &size); }},
      {"aclrtMemcpyBatch: sizes",
       [&] { return aclrtMemcpyBatch(&p, &size, &p, nullptr, 1, &attr, &size, 1, &size); }},
      {"aclrtMemcpyBatch: attrs",
       [&] { return aclrtMemcpyBatch(&p, &size, &p, &size, 1, nullptr, &size, 1, &size); }},
      {"aclrtMemcpyBatch: attrsIndexes",
       [&] { return aclrtMemcpyBatch(&p, &size, &p, &size, 1, &attr, nullptr, 1, &size); }},
      {"aclrtMemcpyBatch: failIndex",
       [&] { return aclrtMemcpyBatch(&p, &size, &p, &size, 1, &attr, &size, 1, nullptr); }},
      {"aclrtMemcpyBatchAsync: dsts",
       [&] {
         return aclrtMemcpyBatchAsync(nullptr, &size, &p, &size, 1, &attr, &size, 1, &size, stream);
       }},
      {"aclrtMemcpyBatchAsync: failIndex",
       [&] {
         return aclrtMemcpyBatchAsync(&p, &size, &p, &size, 1, &attr, &size, 1, nullptr, stream);
       }},
      {"aclrtMemsetD32: ptr", [&] { return aclrtMemsetD32(nullptr, 8, 0, 1); }},
      {"aclrtMemsetD32Async: ptr", [&] { return aclrtMemsetD32Async(nullptr, 8, 0, 1, stream); }},
      {"aclrtMemcpyAsyncWithOffset: src",
       [&] { return aclrtMemcpyAsyncWithOffset(&out, 8, 0, nullptr, 8, 0, kInner, stream); }},
      {"aclrtGetMemcpyDescSize: descSize", [&] { return aclrtGetMemcpyDescSize(kInner, nullptr); }},
      {"aclrtSetMemcpyDesc: desc",
       [&] { return aclrtSetMemcpyDesc(nullptr, kInner, p, p, 8, nullptr); }},
      {"aclrtSetMemcpyDesc: srcAddr",
       [&] { return aclrtSetMemcpyDesc(p, kInner, nullptr, p, 8, nullptr); }},
      {"aclrtSetMemcpyDesc: dstAddr",
       [&] { return aclrtSetMemcpyDesc(p, kInner, p, nullptr, 8, nullptr); }},
      {"aclrtMemcpyAsyncWithDesc: desc",
       [&] { return aclrtMemcpyAsyncWithDesc(nullptr, kInner, stream); }},
      {"aclrtMemAllocManaged: ptr",
       [&] { return aclrtMemAllocManaged(nullptr, 8, ACL_RT_MEM_ATTACH_GLOBAL); }},
      {"aclrtMemManagedAdvise: ptr",
       [&] { return aclrtMemManagedAdvise(nullptr, 8, ACL_MEM_ADVISE_SET_READ_MOSTLY, place); }},
      {"aclrtMemManagedGetAttr: ptr",
       [&] { return aclrtMemManagedGetAttr(range, nullptr, 8, &number, 4); }},
      {"aclrtMemManagedGetAttr: data",
       [&] { return aclrtMemManagedGetAttr(range, p, 8, nullptr, 4); }},
      {"aclrtMemManagedGetAttrs: attributes",
       [&] { return aclrtMemManagedGetAttrs(nullptr, 1, p, 8, &out, &size); }},
      {"aclrtMemManagedGetAttrs: ptr",
       [&] { return aclrtMemManagedGetAttrs(&range, 1, nullptr, 8, &out, &size); }},
      {"aclrtMemManagedGetAttrs: data",
       [&] { return aclrtMemManagedGetAttrs(&range, 1, p, 8, nullptr, &size); }},
      {"aclrtMemManagedGetAttrs: dataSizes",
       [&] { return aclrtMemManagedGetAttrs(&range, 1, p, 8, &out, nullptr); }},
      {"aclrtMemManagedPrefetchAsync: ptr",
       [&] { return aclrtMemManagedPrefetchAsync(nullptr, 8, place, 0, stream); }},
      {"aclrtMemManagedPrefetchBatchAsync: ptrs",
       [&] {
         return aclrtMemManagedPrefetchBatchAsync(nullptr, &size, 1, &place, &size, 1, 0, stream);
       }},
      {"aclrtMemManagedPrefetchBatchAsync: sizes",
       [&] {
         return aclrtMemManagedPrefetchBatchAsync(&in, nullptr, 1, &place, &size, 1, 0, stream);
       }},
      {"aclrtMemManagedPrefetchBatchAsync: prefetchLocs",
       [&] {
         return aclrtMemManagedPrefetchBatchAsync(&in, &size, 1, nullptr, &size, 1, 0, stream);
       }},
      {"aclrtMemManagedPrefetchBatchAsync: prefetchLocIdxs",
       [&] {
         return aclrtMemManagedPrefetchBatchAsync(&in, &size, 1, &place, nullptr, 1, 0, stream);
       }},
      {"aclrtCmoAsync: src", [&] { return aclrtCmoAsync(nullptr, 8, kPrefetch, stream); }},
      {"aclrtCmoGetDescSize: size", [&] { return aclrtCmoGetDescSize(nullptr); }},
      {"aclrtCmoSetDesc: cmoDesc", [&] { return aclrtCmoSetDesc(nullptr, p, 8); }},
      {"aclrtCmoSetDesc: src", [&] { return aclrtCmoSetDesc(p, nullptr, 8); }},
      {"aclrtCmoAsyncWithDesc: cmoDesc",
       [&] { return aclrtCmoAsyncWithDesc(nullptr, kPrefetch, stream, nullptr); }},
  };
  for (const auto& [name, call] : calls) {
    EXPECT_EQ(call(), ACL_ERROR_INVALID_PARAM) << name;
    EXPECT_EQ(std::string(why()), std::string(name) + " must not be NULL");
  }
}

}  // namespace
}  // namespace canopy::test
