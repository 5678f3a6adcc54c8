// acl_rt.h: cache maintenance.
#include "runtime/core/copy_indirect.h"

#include "runtime/api/guard.h"
#include "runtime/graph/bound_streams.h"

#include <vector>

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

aclError aclrtCmoAsyncWithBarrier(void* src, size_t size, aclrtCmoType cmoType, uint32_t barrierId,
                                  aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(src);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_type(cmoType));
    CANOPY_TRY(check_size(size));
    CANOPY_ASSIGN(Stream * found, runtime().stream(stream));
    return maintain_cache(runtime(), src, size, cmoType == ACL_RT_CMO_TYPE_PREFETCH,
                          {static_cast<uint32_t>(cmoType), barrierId}, *found, stream);
  });
}

aclError aclrtCmoWaitBarrier(aclrtBarrierTaskInfo* taskInfo, aclrtStream stream, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(taskInfo);
  return guard([&]() -> Result<> {
    if (flag != 0) {
      return fail(Errc::invalid_argument, "aclrtCmoWaitBarrier: flag {:#x}, 0 is wanted", flag);
    }
    if (taskInfo->barrierNum == 0 || taskInfo->barrierNum > ACL_RT_CMO_MAX_BARRIER_NUM) {
      return fail(Errc::invalid_argument, "aclrtCmoWaitBarrier: {} barriers, 1 to {} can be waited for",
                  taskInfo->barrierNum, ACL_RT_CMO_MAX_BARRIER_NUM);
    }
    std::vector<BarrierWait> barriers;
    for (size_t i = 0; i < taskInfo->barrierNum; ++i) {
      const aclrtBarrierCmoInfo& info = taskInfo->cmoInfo[i];
      CANOPY_TRY(check_type(info.cmoType));
      barriers.push_back({static_cast<uint32_t>(info.cmoType), info.barrierId});
    }
    CANOPY_ASSIGN(Stream * found, runtime().stream(stream));
    return wait_for_barriers(barriers, *found);
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
