// acl_rt.h: managed memory.
#include "runtime/core/managed.h"

#include "runtime/api/guard.h"

#include <vector>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

extern "C" {

aclError aclrtMemAllocManaged(void** ptr, uint64_t size, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(ptr);
  return guard_into(ptr, [&]() -> Result<void*> {
    if (size == 0 || flag != ACL_RT_MEM_ATTACH_GLOBAL) {
      return fail(Errc::invalid_argument,
                  "aclrtMemAllocManaged: size {} must not be 0, flag {} must be "
                  "ACL_RT_MEM_ATTACH_GLOBAL",
                  size, flag);
    }
    return allocate_managed(runtime(), size);
  });
}

aclError aclrtMemManagedAdvise(const void* const ptr, uint64_t size,
                               aclrtMemManagedAdviseType advise, aclrtMemManagedLocation location) {
  CANOPY_ACL_NOT_NULL(ptr);
  return guard([&] { return advise_managed(runtime(), ptr, size, advise, location); });
}

aclError aclrtMemManagedGetAttr(aclrtMemManagedRangeAttribute attribute, const void* ptr,
                                size_t size, void* data, size_t dataSize) {
  CANOPY_ACL_NOT_NULL(ptr);
  CANOPY_ACL_NOT_NULL(data);
  return guard([&] { return managed_attribute(runtime(), attribute, ptr, size, data, dataSize); });
}

aclError aclrtMemManagedGetAttrs(aclrtMemManagedRangeAttribute* attributes, size_t numAttributes,
                                 const void* ptr, size_t size, void** data, size_t* dataSizes) {
  CANOPY_ACL_NOT_NULL(attributes);
  CANOPY_ACL_NOT_NULL(ptr);
  CANOPY_ACL_NOT_NULL(data);
  CANOPY_ACL_NOT_NULL(dataSizes);
  return guard([&]() -> Result<> {
    if (numAttributes == 0) {
      return fail(Errc::invalid_argument, "aclrtMemManagedGetAttrs: numAttributes must not be 0");
    }
    CANOPY_TRY(acl::check_count("aclrtMemManagedGetAttrs", numAttributes, acl::kMostSettings, "attributes"));
    for (size_t i = 0; i < numAttributes; ++i) {
      if (data[i] == nullptr) {
        return fail(Errc::invalid_argument, "aclrtMemManagedGetAttrs: data[{}] must not be NULL",
                    i);
      }
      CANOPY_TRY(managed_attribute(runtime(), attributes[i], ptr, size, data[i], dataSizes[i]));
    }
    return {};
  });
}

aclError aclrtMemManagedPrefetchAsync(const void* ptr, size_t size,
                                      aclrtMemManagedLocation location, uint32_t flags,
                                      aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(ptr);
  return guard([&]() -> Result<> {
    if (flags != 0) {
      return fail(Errc::invalid_argument, "aclrtMemManagedPrefetchAsync: flags is {}, it must be 0",
                  flags);
    }
    const ManagedPrefetch range = {ptr, size, location};
    return prefetch_managed(runtime(), std::span(&range, 1), stream);
  });
}

aclError aclrtMemManagedPrefetchBatchAsync(const void** ptrs, size_t* sizes, size_t count,
                                           aclrtMemManagedLocation* prefetchLocs,
                                           size_t* prefetchLocIdxs, size_t numPrefetchLocs,
                                           uint64_t flags, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(ptrs);
  CANOPY_ACL_NOT_NULL(sizes);
  CANOPY_ACL_NOT_NULL(prefetchLocs);
  CANOPY_ACL_NOT_NULL(prefetchLocIdxs);
  return guard([&]() -> Result<> {
    if (flags != 0 || count == 0 || numPrefetchLocs == 0 || numPrefetchLocs > count) {
      return fail(Errc::invalid_argument,
                  "aclrtMemManagedPrefetchBatchAsync: flags {} must be 0; {} ranges and {} "
                  "locations: at least one of each, and not more locations than ranges",
                  flags, count, numPrefetchLocs);
    }
    std::vector<ManagedPrefetch> ranges;
    size_t location = 0;
    for (size_t i = 0; i < numPrefetchLocs; ++i) {
      if (i == 0 ? prefetchLocIdxs[0] != 0
                 : prefetchLocIdxs[i] <= prefetchLocIdxs[i - 1] || prefetchLocIdxs[i] >= count) {
        return fail(Errc::invalid_argument,
                    "prefetchLocIdxs[{}] is {}: they start at 0 and rise, below {}", i,
                    prefetchLocIdxs[i], count);
      }
    }
    for (size_t i = 0; i < count; ++i) {
      if (location + 1 < numPrefetchLocs && prefetchLocIdxs[location + 1] == i) {
        ++location;
      }
      ranges.push_back({ptrs[i], sizes[i], prefetchLocs[location]});
    }
    return prefetch_managed(runtime(), ranges, stream);
  });
}

}  // extern "C"
