// The copy and fill engines of a device.
#pragma once

#include <cstddef>
#include <cstdint>

namespace canopy {

// REQUIRES: the ranges do not overlap, or are the same. Complete, and visible to whoever sees a later
// release store of the caller, on return.
void copy_bytes(void* dst, const void* src, uint64_t bytes);
void fill_bytes(void* dst, int32_t value, uint64_t bytes);

}  // namespace canopy
