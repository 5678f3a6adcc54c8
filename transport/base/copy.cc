#include "transport/base/copy.h"

#include "runtime/base/env.h"
#include "runtime/base/last_level_cache.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace canopy::transport::copy_detail {
namespace {

// Below this, streaming loses however small the cache is (2026-11, Zen 4: slower at 1 MiB and
// below).
constexpr size_t kLeast = 4u << 20;

size_t choose_threshold() {
  if (auto wanted = env::bytes("CANOPY_STREAM_THRESHOLD")) {
    return static_cast<size_t>(*wanted);
  }
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  return std::max(kLeast, last_level_cache_bytes() / 4 * 3);
#else
  return ~size_t{0};  // memcpy knows the machine best; sanitizers see memcpy only
#endif
}

}  // namespace

size_t threshold = choose_threshold();

void stream(void* dst, const void* src, size_t nbytes) {
#if defined(__x86_64__)
  auto* to = static_cast<std::byte*>(dst);
  auto* from = static_cast<const std::byte*>(src);
  const size_t head = std::min(nbytes, -reinterpret_cast<uintptr_t>(to) & 63);
  std::memcpy(to, from, head);
  to += head;
  from += head;
  nbytes -= head;
  constexpr size_t kAhead = 1024;  // bytes; the hardware prefetcher stops at page ends
  for (; nbytes >= 64; nbytes -= 64, to += 64, from += 64) {
    __builtin_prefetch(from + kAhead);
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 16));
    const __m128i c = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 32));
    const __m128i d = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 48));
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), a);
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + 16), b);
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + 32), c);
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + 48), d);
  }
  std::memcpy(to, from, nbytes);
  // The promise of copy_bytes(): streaming stores are visible before any later store (a flag).
  _mm_sfence();
#else
  std::memcpy(dst, src, nbytes);
#endif
}

}  // namespace canopy::transport::copy_detail
