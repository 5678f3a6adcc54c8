// Copies too large for the caches.
//
// There memcpy loses to string moves and to streaming stores by 1.2 to 1.6, and which of the two
// wins depends on the machine (2026-11, an AMD EPYC with 32 MiB of cache, 64 MiB: 11, 17 and
// 16 GB/s). So the first such copies of a process go every way in turn, and the fastest way is
// kept. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

namespace canopy {

// From how many bytes on bulk_copy() is worth it: three quarters of the last-level cache, at least
// 4 MiB; CANOPY_STREAM_THRESHOLD overrides. Not asked for copies up to 1 MiB, and never reached
// under sanitizers, which know memcpy only.
size_t bulk_threshold();

// As memcpy: the ranges do not overlap, and on return all is visible before any later store.
void bulk_copy(void* dst, const void* src, size_t bytes);

namespace bulk_detail {

using CopyWay = void (*)(void* dst, const void* src, size_t bytes);
// The ways of this machine, memcpy first; their number.
constexpr size_t kMostWays = 3;
size_t ways(CopyWay* out);

}  // namespace bulk_detail
}  // namespace canopy
