#include "runtime/base/bulk_copy.h"

#include "runtime/base/clock.h"
#include "runtime/base/env.h"
#include "runtime/base/last_level_cache.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define CANOPY_BULK_X86 1
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace canopy {
namespace {

using bulk_detail::CopyWay;
using bulk_detail::kMostWays;

void by_memcpy(void* dst, const void* src, size_t bytes) { std::memcpy(dst, src, bytes); }

#if defined(CANOPY_BULK_X86)
constexpr size_t kLine = 64;
constexpr size_t kPage = 4096;
// Pages that are copied side by side. The hardware prefetcher stops at page ends and follows several pages at a time.
constexpr size_t kPages = 4;

// What lies between the ends that a way does not copy in lines of the destination: moved already.
struct Lines {
  std::byte* to;
  const std::byte* from;
  size_t bytes;  // whole lines
};
Lines lines_of(void* dst, const void* src, size_t bytes) {
  auto* to = static_cast<std::byte*>(dst);
  const auto* from = static_cast<const std::byte*>(src);
  const size_t head = std::min<size_t>(bytes, -reinterpret_cast<uintptr_t>(to) % kLine);
  std::memcpy(to, from, head);
  const size_t tail = (bytes - head) % kLine;
  std::memcpy(to + bytes - tail, from + bytes - tail, tail);
  return {to + head, from + head, bytes - head - tail};
}

// The processor moves whole lines without reading the destination. Stores that follow are not
// overtaken.
void by_string_move(void* dst, const void* src, size_t bytes) {
  __asm__ __volatile__("rep movsb" : "+D"(dst), "+S"(src), "+c"(bytes) : : "memory");
}

__attribute__((target("avx2"))) void by_vector_moves(void* dst, const void* src, size_t bytes) {
  const Lines lines = lines_of(dst, src, bytes);
  for (size_t at = 0; at < lines.bytes; at += kLine) {
    const auto* from = reinterpret_cast<const __m256i*>(lines.from + at);
    auto* to = reinterpret_cast<__m256i*>(lines.to + at);
    const __m256i low = _mm256_loadu_si256(from);
    const __m256i high = _mm256_loadu_si256(from + 1);
    _mm256_store_si256(to, low);
    _mm256_store_si256(to + 1, high);
  }
}

inline void stream_line(std::byte* to, const std::byte* from) {
  for (size_t part = 0; part < kLine; part += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + part), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + part)));
  }
}

// Streaming stores are weakly ordered; each of these ends with a fence, before any later store (a flag).

void by_streaming(void* dst, const void* src, size_t bytes) {
  const Lines lines = lines_of(dst, src, bytes);
  constexpr size_t kAhead = 1024;
  for (size_t at = 0; at < lines.bytes; at += kLine) {
    __builtin_prefetch(lines.from + at + kAhead);
    stream_line(lines.to + at, lines.from + at);
  }
  _mm_sfence();
}

void by_streaming_pages(void* dst, const void* src, size_t bytes) {
  const Lines lines = lines_of(dst, src, bytes);
  constexpr size_t kTogether = kPages * kPage;
  size_t at = 0;
  for (; lines.bytes - at >= kTogether; at += kTogether) {
    for (size_t line = 0; line < kPage; line += kLine) {
      for (size_t page = 0; page < kTogether; page += kPage) {
        stream_line(lines.to + at + page + line, lines.from + at + page + line);
      }
    }
  }
  for (; at < lines.bytes; at += kLine) {
    stream_line(lines.to + at, lines.from + at);
  }
  _mm_sfence();
}

// A whole line per store, and loads that leave the caches as they are.
__attribute__((target("avx512f"))) void by_line_streaming(void* dst, const void* src, size_t bytes) {
  const Lines lines = lines_of(dst, src, bytes);
  constexpr size_t kAhead = 4096;
  for (size_t at = 0; at < lines.bytes; at += kLine) {
    _mm_prefetch(lines.from + at + kAhead, _MM_HINT_NTA);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(lines.to + at), _mm512_loadu_si512(lines.from + at));
  }
  _mm_sfence();
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
  // However small the cache is, streaming loses below (Zen 4: at 1 MiB).
  constexpr size_t kLeast = size_t{4} << 20;
  // A virtual machine is told of the whole cache of its host, of which it has a share (2026-11, 2 cores and "260 MiB": at
  // 16 MiB 12.9 GB/s by memcpy, 16.7 streamed). Where a cache is really that large, the trials find it.
  constexpr size_t kMost = size_t{16} << 20;
  return std::clamp(last_level_cache_bytes() / 4 * 3, kLeast, kMost);
}

struct Ways {
  std::array<CopyWay, kMostWays> list{};
  size_t count = 0;
  void add(CopyWay way) { list[count++] = way; }
  void add(const Ways& more) {
    std::copy_n(more.list.begin(), more.count, list.begin() + count);
    count += more.count;
  }
};

Ways ways_in_caches() {
  Ways ways;
  ways.add(by_memcpy);
#if defined(CANOPY_BULK_X86)
  if (__builtin_cpu_supports("avx2")) {
    ways.add(by_vector_moves);
  }
#endif
  return ways;
}

Ways ways_of_strings() {
  Ways ways;
#if defined(CANOPY_BULK_X86)
  if (has_fast_string_moves()) {
    ways.add(by_string_move);
  }
#endif
  return ways;
}

Ways ways_past_caches() {
  Ways ways;
#if defined(CANOPY_BULK_X86)
  ways.add(by_streaming);
  ways.add(by_streaming_pages);
  if (__builtin_cpu_supports("avx512f")) {
    ways.add(by_line_streaming);
  }
#endif
  return ways;
}

// Tries every way kTrials times and then keeps the one whose best trial was fastest. Relaxed throughout: only speed
// depends on it.
class Chooser {
 public:
  enum class Order : uint8_t {
    in_a_row,  // what a way leaves in the caches is what it finds there next
    in_turn    // caches hold nothing of it anyway; a moment in which the machine is slow hits all ways
  };
  // REQUIRES: nobody copies yet.
  void set(const Ways& ways, Order order) {
    ways_ = ways;
    order_ = order;
    best_.store(ways.count == 1 ? ways.list[0] : nullptr, std::memory_order_relaxed);
  }
  void copy(void* dst, const void* src, size_t bytes) {
    if (const CopyWay best = best_.load(std::memory_order_relaxed)) [[likely]] {
      best(dst, src, bytes);
      return;
    }
    copy_in_trials(static_cast<std::byte*>(dst), static_cast<const std::byte*>(src), bytes);
  }

 private:
  // Parts of large ones, so that the first copies of a program settle it.
  void copy_in_trials(std::byte* to, const std::byte* from, size_t bytes) {
    constexpr size_t kPart = size_t{1} << 20;
    for (; bytes > kPart; bytes -= kPart, to += kPart, from += kPart) {
      if (const CopyWay best = best_.load(std::memory_order_relaxed)) {
        best(to, from, bytes);
        return;
      }
      try_one(to, from, kPart);
    }
    try_one(to, from, bytes);
  }

  void try_one(void* dst, const void* src, size_t bytes) {
    const uint32_t trial = next_.fetch_add(1, std::memory_order_relaxed);
    const size_t way =
        order_ == Order::in_turn ? trial % ways_.count : std::min<size_t>(trial / kTrials, ways_.count - 1);
    const uint64_t start = ticks();
    ways_.list[way](dst, src, bytes);
    const uint64_t per_mib = (ticks() - start) * 1024 / (bytes / 1024 + 1);
    uint64_t fastest = fastest_[way].load(std::memory_order_relaxed);
    while (per_mib < fastest && !fastest_[way].compare_exchange_weak(fastest, per_mib, std::memory_order_relaxed)) {
    }
    if (trial + 1 >= kTrials * ways_.count) {
      const auto* winner =
          std::min_element(fastest_.begin(), fastest_.begin() + ways_.count, [](const auto& a, const auto& b) {
            return a.load(std::memory_order_relaxed) < b.load(std::memory_order_relaxed);
          });
      best_.store(ways_.list[static_cast<size_t>(winner - fastest_.begin())], std::memory_order_relaxed);
    }
  }

  static constexpr uint32_t kTrials = 4;
  Ways ways_;
  Order order_ = Order::in_turn;
  std::atomic<CopyWay> best_{nullptr};
  std::atomic<uint32_t> next_{0};
  std::array<std::atomic<uint64_t>, kMostWays> fastest_ = {~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0},
                                                           ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}};
};

// Choosers by the power of two below a size.
class Copies {
 public:
  static Copies& instance() {
    static Copies copies;
    return copies;
  }
  Chooser& of(size_t bytes) {
    if (bytes >= threshold) {
      return large_[power(bytes)];
    }
    return small_[power(bytes)];
  }
  Chooser& to_other_core(size_t bytes) { return to_other_core_[power(bytes)]; }
  const size_t threshold = choose_threshold();

 private:
  Copies() {
    const Ways in_caches = ways_in_caches();
    Ways all;  // vector moves read every line that they write: no way for large ones
    all.add(by_memcpy);
    all.add(ways_of_strings());
    all.add(ways_past_caches());
    Ways to_other_core = in_caches;
    to_other_core.add(ways_past_caches());
    for (size_t i = 0; i < kPowers; ++i) {
      small_[i].set(in_caches, Chooser::Order::in_a_row);
      large_[i].set(all, Chooser::Order::in_turn);
      to_other_core_[i].set(to_other_core, Chooser::Order::in_a_row);
    }
  }
  static size_t power(size_t bytes) {
    return std::clamp<size_t>(static_cast<size_t>(std::bit_width(bytes)), kLeastPower, kLeastPower + kPowers - 1) - kLeastPower;
  }

  static constexpr size_t kLeastPower = 15;  // kLeastBulk to twice as much
  static constexpr size_t kPowers = 13;      // up to 64 MiB and more
  static_assert(std::bit_width(kLeastBulk) == kLeastPower);
  std::array<Chooser, kPowers> small_;
  std::array<Chooser, kPowers> large_;
  std::array<Chooser, kPowers> to_other_core_;
};

}  // namespace

size_t bulk_detail::ways(CopyWay* out) {
  Ways all = ways_in_caches();
  all.add(ways_of_strings());
  all.add(ways_past_caches());
  std::copy_n(all.list.begin(), all.count, out);
  return all.count;
}

size_t bulk_threshold() { return Copies::instance().threshold; }

void bulk_copy(void* dst, const void* src, size_t bytes) { Copies::instance().of(bytes).copy(dst, src, bytes); }

void copy_to_other_core(void* dst, const void* src, size_t bytes) {
  Copies::instance().to_other_core(bytes).copy(dst, src, bytes);
}

}  // namespace canopy
