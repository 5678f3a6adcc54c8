// acl_rt.h: memory, copies and fills.
#include "runtime/core/memory.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

Result<> check_policy(aclrtMemMallocPolicy policy) {
  const auto value = static_cast<uint32_t>(policy);
  constexpr uint32_t kModifiers = ACL_MEM_TYPE_LOW_BAND_WIDTH | ACL_MEM_TYPE_HIGH_BAND_WIDTH | ACL_MEM_ACCESS_USER_SPACE_READONLY;
  if ((value & ~kModifiers) > ACL_MEM_MALLOC_HUGE1G_ONLY_P2P) {
    return fail(Errc::invalid_argument, "aclrtMalloc: policy {:#x} is not one of aclrtMemMallocPolicy", value);
  }
  return {};
}

Result<> check_kind(aclrtMemcpyKind kind) {
  if (static_cast<uint32_t>(kind) > ACL_MEMCPY_INTER_DEVICE_TO_DEVICE) {
    return fail(Errc::invalid_argument, "copy kind {} is not one of aclrtMemcpyKind", static_cast<uint32_t>(kind));
  }
  return {};
}

Result<> check_size(const char* function, size_t size) {
  if (size == 0) {
    return fail(Errc::invalid_argument, "{}: size must not be 0", function);
  }
  return {};
}

}  // namespace

extern "C" {

aclError aclrtMalloc(void** devPtr, size_t size, aclrtMemMallocPolicy policy) {
  CANOPY_ACL_NOT_NULL(devPtr);
  if (!check_size(__func__, size)) {
    return acl::remember(ACL_ERROR_INVALID_PARAM);
  }
  return guard_into(devPtr, [&]() -> Result<void*> {
    CANOPY_TRY(check_policy(policy));
    return allocate_device(runtime(), size);
  });
}

aclError aclrtFree(void* devPtr) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return guard([&] { return free_device(runtime(), devPtr); });
}

aclError aclrtMallocHost(void** hostPtr, size_t size) {
  CANOPY_ACL_NOT_NULL(hostPtr);
  if (!check_size(__func__, size)) {
    return acl::remember(ACL_ERROR_INVALID_PARAM);
  }
  return guard_into(hostPtr, [&] { return allocate_pinned(runtime(), size); });
}

aclError aclrtFreeHost(void* hostPtr) {
  CANOPY_ACL_NOT_NULL(hostPtr);
  return guard([&] { return free_pinned(runtime(), hostPtr); });
}

aclError aclrtGetMemInfo(aclrtMemAttr attr, size_t* free, size_t* total) {
  CANOPY_ACL_NOT_NULL(free);
  CANOPY_ACL_NOT_NULL(total);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const int device, runtime().current_device());
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_ASSIGN(const auto info, driver->memory_info(device));
    *free = attr == ACL_HBM_MEM ? info.first : 0;
    *total = attr == ACL_HBM_MEM ? info.second : 0;
    return {};
  });
}

aclError aclrtMemcpy(void* dst, size_t destMax, const void* src, size_t count, aclrtMemcpyKind kind) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(src);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_kind(kind));
    return copy_now(runtime(), dst, destMax, src, count);
  });
}

aclError aclrtMemcpyAsync(void* dst, size_t destMax, const void* src, size_t count, aclrtMemcpyKind kind,
                          aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(src);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_kind(kind));
    return copy_on_stream(runtime(), dst, destMax, src, count, stream);
  });
}

aclError aclrtMemset(void* devPtr, size_t maxCount, int32_t value, size_t count) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return guard([&] { return fill_now(runtime(), devPtr, maxCount, value, count); });
}

aclError aclrtMemsetAsync(void* devPtr, size_t maxCount, int32_t value, size_t count, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return guard([&] { return fill_on_stream(runtime(), devPtr, maxCount, value, count, stream); });
}

}  // extern "C"
