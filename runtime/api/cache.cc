// acl_rt.h: cache maintenance.
#include "runtime/core/copy_indirect.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

Result<> check_type(aclrtCmoType type) {
  if (static_cast<uint32_t>(type) > ACL_RT_CMO_TYPE_FLUSH) {
    return fail(Errc::invalid_argument, "{} is not one of aclrtCmoType",
                static_cast<uint32_t>(type));
  }
  return {};
}

Result<> check_size(size_t size) {
  if (size == 0) {
    return fail(Errc::invalid_argument, "cache maintenance: size must not be 0");
  }
  return {};
}

}  // namespace

extern "C" {

aclError aclrtCmoAsync(void* src, size_t size, aclrtCmoType cmoType, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(src);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_type(cmoType));
    if (cmoType != ACL_RT_CMO_TYPE_PREFETCH) {
      return fail(Errc::not_supported,
                  "aclrtCmoAsync: type {}: only ACL_RT_CMO_TYPE_PREFETCH goes without a descriptor",
                  static_cast<uint32_t>(cmoType));
    }
    CANOPY_TRY(check_size(size));
    return prefetch_to_cache(runtime(), src, size, stream);
  });
}

aclError aclrtCmoGetDescSize(size_t* size) {
  CANOPY_ACL_NOT_NULL(size);
  return guard_into(size, []() -> Result<size_t> { return kDescriptorBytes; });
}

aclError aclrtCmoSetDesc(void* cmoDesc, void* src, size_t size) {
  CANOPY_ACL_NOT_NULL(cmoDesc);
  CANOPY_ACL_NOT_NULL(src);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_size(size));
    return set_cache_descriptor(runtime(), cmoDesc, src, size);
  });
}

aclError aclrtCmoAsyncWithDesc(void* cmoDesc, aclrtCmoType cmoType, aclrtStream stream,
                               const void* reserve) {
  CANOPY_ACL_NOT_NULL(cmoDesc);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_type(cmoType));
    if (reserve != nullptr) {
      return fail(Errc::invalid_argument, "aclrtCmoAsyncWithDesc: reserve must be NULL");
    }
    return cache_with_descriptor(runtime(), cmoDesc, cmoType == ACL_RT_CMO_TYPE_PREFETCH, stream);
  });
}

}  // extern "C"
