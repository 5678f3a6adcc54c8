// acl_rt.h: allocation of device memory.
#include "runtime/core/memory.h"

#include "runtime/api/guard.h"
#include "runtime/api/malloc_config.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::MallocConfig;
using acl::runtime;

namespace {

constexpr uint32_t kModifiers =
    ACL_MEM_TYPE_LOW_BAND_WIDTH | ACL_MEM_TYPE_HIGH_BAND_WIDTH | ACL_MEM_ACCESS_USER_SPACE_READONLY;

// A policy that the interface does not know is none: pages by size alone.
PageKind pages_of(uint32_t policy, size_t size) {
  constexpr size_t kHugeAbove = size_t{1} << 20;
  switch (policy) {
    case ACL_MEM_MALLOC_HUGE_FIRST:
    case ACL_MEM_MALLOC_HUGE_FIRST_P2P:
      return size > kHugeAbove ? PageKind::huge : PageKind::normal;
    case ACL_MEM_MALLOC_HUGE_ONLY:
    case ACL_MEM_MALLOC_HUGE_ONLY_P2P:
      return PageKind::huge;
    case ACL_MEM_MALLOC_NORMAL_ONLY:
    case ACL_MEM_MALLOC_NORMAL_ONLY_P2P:
      return PageKind::normal;
    case ACL_MEM_MALLOC_HUGE1G_ONLY:
    case ACL_MEM_MALLOC_HUGE1G_ONLY_P2P:
      return PageKind::huge_1g;
    default:
      return size >= page_bytes(PageKind::huge) ? PageKind::huge : PageKind::normal;
  }
}

DeviceRequest request_of(size_t size, uint32_t policy) {
  const PageKind pages = pages_of(policy, size);
  return {.bytes = size, .pages = pages, .padded = pages != PageKind::huge_1g};
}

aclError refuse_size_zero(const char* function) {
  (void)fail(Errc::invalid_argument, "{}: size must not be 0", function);
  return acl::remember(ACL_ERROR_INVALID_PARAM);
}

aclError malloc_with_config(const char* function, void** out, size_t size, uint32_t policy,
                            const aclrtMallocConfig* cfg) {
  if (size == 0) {
    return refuse_size_zero(function);
  }
  return guard_into(out, [&]() -> Result<void*> {
    CANOPY_ASSIGN(const MallocConfig config, MallocConfig::read(cfg));
    DeviceRequest request = request_of(size, policy & ~kModifiers);
    request.device = config.device;
    return allocate_device(runtime(), request);
  });
}

aclError malloc_plain(const char* function, void** out, size_t size, aclrtMemMallocPolicy policy) {
  if (size == 0) {
    return refuse_size_zero(function);
  }
  return guard_into(out, [&] {
    return allocate_device(runtime(), request_of(size, static_cast<uint32_t>(policy)));
  });
}

}  // namespace

extern "C" {

aclError aclrtMalloc(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return malloc_plain(__func__, devPtr, size, policy);
}

aclError aclrtMallocAlign32(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  CANOPY_ACL_NOT_NULL(devPtr);
  if (size == 0) {
    return refuse_size_zero(__func__);
  }
  return guard_into(devPtr, [&] {
    DeviceRequest request = request_of(size, static_cast<uint32_t>(policy));
    request.padded = false;
    return allocate_device(runtime(), request);
  });
}

// One coherent memory: cached or not is the same here.
aclError aclrtMallocCached(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return malloc_plain(__func__, devPtr, size, policy);
}

aclError aclrtMallocWithCfg(void** devPtr, size_t size, aclrtMemMallocPolicy policy,
                            aclrtMallocConfig* cfg) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return malloc_with_config(__func__, devPtr, size, static_cast<uint32_t>(policy), cfg);
}

aclError aclrtMallocForTaskScheduler(void** devPtr, size_t size, aclrtMemMallocPolicy policy,
                                     aclrtMallocConfig* cfg) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return malloc_with_config(__func__, devPtr, size, static_cast<uint32_t>(policy), cfg);
}

aclError aclrtFree(void* devPtr) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return guard([&] { return free_device(runtime(), devPtr); });
}

aclError aclrtFreeWithDevSync(void* devPtr) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return guard([&] { return free_after_sync(runtime(), free_device, devPtr); });
}

aclError aclrtMallocHost(void** hostPtr, size_t size) {
  CANOPY_ACL_NOT_NULL(hostPtr);
  if (size == 0) {
    return refuse_size_zero(__func__);
  }
  return guard_into(hostPtr, [&] { return allocate_pinned(runtime(), size); });
}

aclError aclrtMallocHostWithCfg(void** ptr, uint64_t size, aclrtMallocConfig* cfg) {
  CANOPY_ACL_NOT_NULL(ptr);
  if (size == 0) {
    return refuse_size_zero(__func__);
  }
  return guard_into(ptr, [&]() -> Result<void*> {
    CANOPY_TRY(MallocConfig::read(cfg));
    return allocate_pinned(runtime(), size);
  });
}

aclError aclrtFreeHost(void* hostPtr) {
  CANOPY_ACL_NOT_NULL(hostPtr);
  return guard([&] { return free_pinned(runtime(), hostPtr); });
}

aclError aclrtFreeHostWithDevSync(void* hostPtr) {
  CANOPY_ACL_NOT_NULL(hostPtr);
  return guard([&] { return free_after_sync(runtime(), free_pinned, hostPtr); });
}

}  // extern "C"
