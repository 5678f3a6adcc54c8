// The copy and fill engines of a device.
//
// All are complete, and visible to whoever sees a later release store of the caller, on return.
#pragma once

#include <cstddef>
#include <cstdint>

namespace canopy {

// REQUIRES: the ranges do not overlap, or are the same.
void copy_bytes(void* dst, const void* src, uint64_t bytes);
// `rows` rows of `row_bytes` bytes, each `dst_pitch` and `src_pitch` bytes after the one before.
void copy_rows(void* dst, uint64_t dst_pitch, const void* src, uint64_t src_pitch,
               uint64_t row_bytes, uint64_t rows);
// The low byte of `value`.
void fill_bytes(void* dst, int32_t value, uint64_t bytes);
// REQUIRES: `dst` on a boundary of 4 bytes.
void fill_words(void* dst, uint32_t value, uint64_t words);

}  // namespace canopy
