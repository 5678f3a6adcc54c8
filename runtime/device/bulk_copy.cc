#include "runtime/device/bulk_copy.h"

#include "runtime/base/clock.h"
#include "runtime/base/env.h"
#include "runtime/base/last_level_cache.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace canopy {
namespace {

using bulk_detail::CopyWay;
using bulk_detail::kMostWays;

void by_memcpy(void* dst, const void* src, size_t bytes) { std::memcpy(dst, src, bytes); }

#if defined(__x86_64__)
// The processor moves whole lines without reading the destination. Stores that follow are not
// overtaken.
void by_string_move(void* dst, const void* src, size_t bytes) {
  __asm__ __volatile__("rep movsb" : "+D"(dst), "+S"(src), "+c"(bytes) : : "memory");
}

void by_streaming(void* dst, const void* src, size_t bytes) {
  auto* to = static_cast<std::byte*>(dst);
  const auto* from = static_cast<const std::byte*>(src);
  const size_t head = std::min<size_t>(bytes, -reinterpret_cast<uintptr_t>(to) % 64);
  std::memcpy(to, from, head);
  size_t at = head;
  constexpr size_t kAhead = 1024;  // the hardware's own prefetcher stops at page ends
  for (; bytes - at >= 64; at += 64) {
    __builtin_prefetch(from + at + kAhead);
    for (size_t part = 0; part < 64; part += 16) {
      const __m128i value = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at + part));
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + at + part), value);
    }
  }
  std::memcpy(to + at, from + at, bytes - at);
  _mm_sfence();  // streaming stores are weakly ordered: before any later store (a flag)
}

// A whole line per store, and loads that leave the caches as they are.
__attribute__((target("avx512f"))) void by_line_streaming(void* dst, const void* src, size_t bytes) {
  auto* to = static_cast<std::byte*>(dst);
  const auto* from = static_cast<const std::byte*>(src);
  const size_t head = std::min<size_t>(bytes, -reinterpret_cast<uintptr_t>(to) % 64);
  std::memcpy(to, from, head);
  size_t at = head;
  constexpr size_t kAhead = 4096;
  for (; bytes - at >= 64; at += 64) {
    _mm_prefetch(from + at + kAhead, _MM_HINT_NTA);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at), _mm512_loadu_si512(from + at));
  }
  std::memcpy(to + at, from + at, bytes - at);
  _mm_sfence();  // as above
}

bool has_fast_string_moves() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b >> 9 & 1) != 0;  // ERMS
}
#endif

size_t choose_threshold() {
  if (const auto wanted = env::bytes("CANOPY_STREAM_THRESHOLD")) {
    return static_cast<size_t>(*wanted);
  }
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  return ~size_t{0};
#else
  constexpr size_t kLeast = size_t{4} << 20;
  // A virtual machine is told of the whole cache of its host, of which it has a share (2026-11, 2 cores,
  // "260 MiB": 64 MiB at 7.1 GB/s by memcpy, at 9.9 streamed). Where a cache is really that large, memcpy is
  // the fastest way, and the trials find it.
  constexpr size_t kMost = size_t{32} << 20;
  return std::clamp(last_level_cache_bytes() / 4 * 3, kLeast, kMost);
#endif
}

// Tries every way kTrials times, in turn, then keeps the one whose best trial was fastest. Relaxed
// throughout: only speed depends on it.
class Chooser {
 public:
  Chooser() : count_(bulk_detail::ways(ways_.data())) {}

  void copy(void* dst, const void* src, size_t bytes) {
    if (const CopyWay best = best_.load(std::memory_order_relaxed)) {
      best(dst, src, bytes);
      return;
    }
    const uint32_t trial = next_.fetch_add(1, std::memory_order_relaxed);
    const size_t way = trial % count_;
    const uint64_t start = ticks();
    ways_[way](dst, src, bytes);
    const uint64_t per_mib = (ticks() - start) / (bytes >> 20 | 1);
    uint64_t fastest = fastest_[way].load(std::memory_order_relaxed);
    while (per_mib < fastest &&
           !fastest_[way].compare_exchange_weak(fastest, per_mib, std::memory_order_relaxed)) {
    }
    if (trial + 1 >= kTrials * count_) {
      const auto* winner = std::min_element(
          fastest_.begin(), fastest_.begin() + count_, [](const auto& a, const auto& b) {
            return a.load(std::memory_order_relaxed) < b.load(std::memory_order_relaxed);
          });
      best_.store(ways_[static_cast<size_t>(winner - fastest_.begin())], std::memory_order_relaxed);
    }
  }

 private:
  static constexpr uint32_t kTrials = 3;
  std::array<CopyWay, kMostWays> ways_{};
  const size_t count_;
  std::atomic<uint32_t> next_{0};
  std::array<std::atomic<uint64_t>, kMostWays> fastest_ = {~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}};
  std::atomic<CopyWay> best_{nullptr};
};

}  // namespace

size_t bulk_detail::ways(CopyWay* out) {
  size_t count = 0;
  out[count++] = by_memcpy;
#if defined(__x86_64__)
  out[count++] = by_streaming;
  if (__builtin_cpu_supports("avx512f")) {
    out[count++] = by_line_streaming;
  }
  if (has_fast_string_moves()) {
    out[count++] = by_string_move;
  }
#endif
  return count;
}

size_t bulk_threshold() {
  static const size_t threshold = choose_threshold();
  return threshold;
}

void bulk_copy(void* dst, const void* src, size_t bytes) {
  static Chooser chooser;
  chooser.copy(dst, src, bytes);
}

}  // namespace canopy
