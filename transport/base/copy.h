// copy_bytes(): the bulk copy of every direct path.
//
// Small and middle sizes are memcpy. From streaming_threshold() on the destination does not fit
// into the cache next to the source, and non-temporal stores spare the read of every destination
// line. They are weakly ordered, so a streaming copy ends with a store fence: on return the copy's
// stores are ordered before every later store of the caller, exactly as with memcpy. Thread-safe.
#pragma once

#if defined(__SANITIZE_THREAD__)
#include "runtime/base/cache_line.h"
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace canopy::transport {

namespace copy_detail {
// Set once at load time, from the size of the last-level cache (CANOPY_STREAM_THRESHOLD overrides).
extern size_t threshold;
void stream(void* dst, const void* src, size_t nbytes);
}  // namespace copy_detail

inline size_t streaming_threshold() { return copy_detail::threshold; }

// REQUIRES: the ranges do not overlap. Null pointers are fine when nbytes is 0.
inline void copy_bytes(void* dst, const void* src, size_t nbytes) {
  if (nbytes >= copy_detail::threshold) [[unlikely]] {
    copy_detail::stream(dst, src, nbytes);
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

// The same past the caches, whatever the size: for what another core reads next, and more of it than caches hold.
inline void copy_streaming(void* dst, const void* src, size_t nbytes) { copy_detail::stream(dst, src, nbytes); }

}  // namespace canopy::transport
