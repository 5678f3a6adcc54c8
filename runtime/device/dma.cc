#include "runtime/device/dma.h"

#include "runtime/base/bulk_copy.h"

#include <algorithm>
#include <cstring>

namespace canopy {

void copy_bytes(void* dst, const void* src, uint64_t bytes) {
  if (bytes >= kLeastBulk) [[unlikely]] {
    bulk_copy(dst, src, bytes);
    return;
  }
  std::memcpy(dst, src, bytes);
}

void copy_rows(void* dst, uint64_t dst_pitch, const void* src, uint64_t src_pitch,
               uint64_t row_bytes, uint64_t rows) {
  if (row_bytes == 0) {
    return;
  }
  if (dst_pitch == row_bytes && src_pitch == row_bytes) {
    copy_bytes(dst, src, row_bytes * rows);
    return;
  }
  auto* to = static_cast<std::byte*>(dst);
  const auto* from = static_cast<const std::byte*>(src);
  for (uint64_t row = 0; row < rows; ++row) {
    copy_bytes(to + row * dst_pitch, from + row * src_pitch, row_bytes);
  }
}

void fill_bytes(void* dst, int32_t value, uint64_t bytes) { std::memset(dst, value, bytes); }

void fill_words(void* dst, uint32_t value, uint64_t words) {
  std::fill_n(static_cast<uint32_t*>(dst), words, value);
}

}  // namespace canopy
