// Managed memory as the C API asks for it: advice, locations, prefetches.
#pragma once

#include "runtime/base/result.h"

#include "acl/rt/managed.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace canopy {

class Runtime;

Result<void*> allocate_managed(Runtime& runtime, uint64_t bytes);
// `bytes` is a multiple of 2 MiB. Errc::invalid_argument: not all of one live managed allocation,
// or a location that the advice does not take. UNSET advice and READ_MOSTLY do not look at the
// location.
Result<> advise_managed(Runtime& runtime, const void* address, uint64_t bytes,
                        aclrtMemManagedAdviseType advice, aclrtMemManagedLocation location);
// Writes what holds for all pages of the range, or the attribute's "none". Errc::invalid_argument:
// `data_bytes` is not what the attribute takes.
Result<> managed_attribute(Runtime& runtime, aclrtMemManagedRangeAttribute attribute,
                           const void* address, uint64_t bytes, void* data, size_t data_bytes);

struct ManagedPrefetch {
  const void* address;
  uint64_t bytes;
  aclrtMemManagedLocation location;
};
// All checked before any is queued; one task.
Result<> prefetch_managed(Runtime& runtime, std::span<const ManagedPrefetch> ranges, void* stream);

}  // namespace canopy
