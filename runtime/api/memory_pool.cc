// acl_rt_memory_soma.h: pools of device memory in stream order.
#include "acl/acl_rt_memory_soma.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

// The three switches are 32 bits wide, all other attributes 64.
bool is_switch(aclrtMemPoolAttr attr) {
  return attr == ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES ||
         attr == ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC ||
         attr == ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES;
}

Result<> check_properties(const aclrtMemPoolProps& properties) {
  if (properties.allocType != ACL_MEM_ALLOCATION_TYPE_PINNED) {
    return fail(Errc::invalid_argument,
                "aclrtMemPoolCreate: allocType {} must be ACL_MEM_ALLOCATION_TYPE_PINNED",
                static_cast<int>(properties.allocType));
  }
  if (properties.handleType == ACL_MEM_HANDLE_TYPE_POSIX) {
    return fail(Errc::not_supported,
                "aclrtMemPoolCreate: memory of pools cannot be shared by file descriptor");
  }
  if (properties.handleType != ACL_MEM_HANDLE_TYPE_NONE) {
    return fail(Errc::invalid_argument, "aclrtMemPoolCreate: {} is not one of aclrtMemHandleType",
                static_cast<int>(properties.handleType));
  }
  if (properties.location.type != ACL_MEM_LOCATION_TYPE_DEVICE) {
    return fail(Errc::invalid_argument,
                "aclrtMemPoolCreate: location type {}: pools lie on devices",
                static_cast<int>(properties.location.type));
  }
  if (properties.location.id >= static_cast<uint32_t>(kMaxDevices)) {
    return fail(Errc::bad_device, "aclrtMemPoolCreate: device {} does not exist",
                static_cast<int>(properties.location.id));  // -1 is said to be -1
  }
  return {};
}

}  // namespace

extern "C" {

aclError aclrtMemPoolCreate(aclrtMemPool* memPool, const aclrtMemPoolProps* poolProps) {
  CANOPY_ACL_NOT_NULL(memPool);
  CANOPY_ACL_NOT_NULL(poolProps);
  return guard_into(memPool, [&]() -> Result<void*> {
    CANOPY_TRY(check_properties(*poolProps));
    return runtime().pools().create(static_cast<int>(poolProps->location.id), poolProps->maxSize);
  });
}

aclError aclrtMemPoolDestroy(const aclrtMemPool memPool) {
  CANOPY_ACL_NOT_NULL(memPool);
  return guard([&] { return runtime().pools().destroy(memPool); });
}

aclError aclrtMemPoolSetAttr(aclrtMemPool memPool, aclrtMemPoolAttr attr, void* value) {
  CANOPY_ACL_NOT_NULL(memPool);
  CANOPY_ACL_NOT_NULL(value);
  return guard([&] {
    return runtime().pools().set(
        memPool, attr,
        is_switch(attr) ? *static_cast<uint32_t*>(value) : *static_cast<uint64_t*>(value));
  });
}

aclError aclrtMemPoolGetAttr(aclrtMemPool memPool, aclrtMemPoolAttr attr, void* value) {
  CANOPY_ACL_NOT_NULL(memPool);
  CANOPY_ACL_NOT_NULL(value);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const uint64_t found, runtime().pools().get(memPool, attr));
    if (is_switch(attr)) {
      *static_cast<uint32_t*>(value) = static_cast<uint32_t>(found);
    } else {
      *static_cast<uint64_t*>(value) = found;
    }
    return {};
  });
}

aclError aclrtMemPoolMallocAsync(void** ptr, size_t size, aclrtMemPool memPool,
                                 aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(ptr);
  CANOPY_ACL_NOT_NULL(memPool);
  if (size == 0) {
    (void)fail(Errc::invalid_argument, "{}: size must not be 0", __func__);
    return acl::remember(ACL_ERROR_INVALID_PARAM);
  }
  return guard_into(ptr, [&] { return runtime().pools().allocate(memPool, size, stream); });
}

aclError aclrtMemPoolFreeAsync(void* ptr, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(ptr);
  return guard([&] { return runtime().pools().free(ptr, stream); });
}

aclError aclrtMemPoolTrimTo(aclrtMemPool memPool, size_t minBytesToKeep) {
  CANOPY_ACL_NOT_NULL(memPool);
  return guard([&] { return runtime().pools().trim(memPool, minBytesToKeep); });
}

}  // extern "C"
