// Copies and cache hints whose addresses lie in memory and are read when the stream gets there.
// What they then find wrong fails the task: the stream's next synchronisation tells.
#pragma once

#include "runtime/base/result.h"

#include <cstddef>
#include <cstdint>

namespace canopy {

class Runtime;

// From *src + src_offset to *dst + dst_offset. Cells in pageable host memory are read at once.
struct OffsetCopy {
  void** dst;
  size_t dst_offset;
  const void** src;
  size_t src_offset;
  size_t count;
};
// Errc::invalid_argument: count beyond dst_max, or a cell in no live allocation.
Result<> copy_with_offset(Runtime& runtime, const OffsetCopy& copy, size_t dst_max, void* stream);

// A descriptor is device memory of this many bytes that only these functions write and read.
inline constexpr size_t kDescriptorBytes = 64;

// Between two ranges of one device.
Result<> set_copy_descriptor(Runtime& runtime, void* descriptor, const void* src, void* dst,
                             size_t count);
Result<> copy_with_descriptor(Runtime& runtime, void* descriptor, void* stream);

// Brings device memory near: memory is coherent here, so that is all a cache can do for it.
Result<> prefetch_to_cache(Runtime& runtime, const void* address, size_t bytes, void* stream);
Result<> set_cache_descriptor(Runtime& runtime, void* descriptor, const void* address,
                              size_t bytes);
// `prefetch` false: write back, invalidate, flush - with coherent memory nothing but the check.
Result<> cache_with_descriptor(Runtime& runtime, void* descriptor, bool prefetch, void* stream);

}  // namespace canopy
