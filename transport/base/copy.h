// copy_bytes(): the bulk copy of every direct path.
//
// Small sizes are memcpy, others the fastest way of this machine (runtime/base/bulk_copy.h), also past the caches. On return
// the copy's stores are ordered before every later store of the caller, exactly as with memcpy. Thread-safe.
#pragma once

#include "runtime/base/bulk_copy.h"
#if defined(__SANITIZE_THREAD__)
#include "runtime/base/cache_line.h"
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace canopy::transport {

// REQUIRES: the ranges do not overlap. Null pointers are fine when nbytes is 0.
inline void copy_bytes(void* dst, const void* src, size_t nbytes) {
  if (nbytes >= kLeastBulk) [[unlikely]] {
    bulk_copy(dst, src, nbytes);
    return;
  }
#if defined(__SANITIZE_THREAD__)
  // memcpy moves an aligned word in one piece, which programs count on for flags; TSan has to be
  // told.
  if (nbytes == sizeof(uint64_t) &&
      (reinterpret_cast<uintptr_t>(dst) | reinterpret_cast<uintptr_t>(src)) % sizeof(uint64_t) ==
          0) {
    const uint64_t word = load_acquire(static_cast<const uint64_t*>(src));
    // Release, as every scalar store there (direct_memory.h): TSan does not model fences.
    store_release(static_cast<uint64_t*>(dst), word);
    return;
  }
#endif
  // One word is one store. memcpy may store it twice, and whoever has seen it, and has put it back, would see it again.
  switch (nbytes) {
    case 8: return std::memcpy(dst, src, 8), void();
    case 4: return std::memcpy(dst, src, 4), void();
    case 2: return std::memcpy(dst, src, 2), void();
    case 1: return std::memcpy(dst, src, 1), void();
    default: break;
  }
  // The compiler may not assume that the pointers are valid when there is nothing to copy.
  if (nbytes != 0) {
    std::memcpy(dst, src, nbytes);
  }
}

}  // namespace canopy::transport
