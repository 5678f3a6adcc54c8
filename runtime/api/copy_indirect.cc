// acl_rt.h: copies whose addresses lie in memory.
#include "runtime/core/copy_indirect.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

Result<> check_kind(aclrtMemcpyKind kind) {
  if (static_cast<uint32_t>(kind) > ACL_MEMCPY_INTER_DEVICE_TO_DEVICE) {
    return fail(Errc::invalid_argument, "copy kind {} is not one of aclrtMemcpyKind",
                static_cast<uint32_t>(kind));
  }
  return {};
}

Result<> check_descriptor_kind(aclrtMemcpyKind kind) {
  CANOPY_TRY(check_kind(kind));
  if (kind != ACL_MEMCPY_INNER_DEVICE_TO_DEVICE) {
    return fail(Errc::not_supported,
                "copy kind {}: descriptors are for ACL_MEMCPY_INNER_DEVICE_TO_DEVICE",
                static_cast<uint32_t>(kind));
  }
  return {};
}

}  // namespace

extern "C" {

aclError aclrtMemcpyAsyncWithOffset(void** dst, size_t destMax, size_t dstDataOffset,
                                    const void** src, size_t count, size_t srcDataOffset,
                                    aclrtMemcpyKind kind, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(src);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_kind(kind));
    return copy_with_offset(runtime(), {dst, dstDataOffset, src, srcDataOffset, count}, destMax,
                            stream);
  });
}

aclError aclrtGetMemcpyDescSize(aclrtMemcpyKind kind, size_t* descSize) {
  CANOPY_ACL_NOT_NULL(descSize);
  return guard_into(descSize, [&]() -> Result<size_t> {
    CANOPY_TRY(check_descriptor_kind(kind));
    return kDescriptorBytes;
  });
}

aclError aclrtSetMemcpyDesc(void* desc, aclrtMemcpyKind kind, void* srcAddr, void* dstAddr,
                            size_t count, void* config) {
  CANOPY_ACL_NOT_NULL(desc);
  CANOPY_ACL_NOT_NULL(srcAddr);
  CANOPY_ACL_NOT_NULL(dstAddr);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_descriptor_kind(kind));
    if (config != nullptr) {
      return fail(Errc::invalid_argument, "aclrtSetMemcpyDesc: config must be NULL");
    }
    return set_copy_descriptor(runtime(), desc, srcAddr, dstAddr, count);
  });
}

aclError aclrtMemcpyAsyncWithDesc(void* desc, aclrtMemcpyKind kind, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(desc);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_descriptor_kind(kind));
    return copy_with_descriptor(runtime(), desc, stream);
  });
}

}  // extern "C"
