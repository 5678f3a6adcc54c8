// Copies too large for the caches.
//
// There memcpy loses to string moves and to streaming stores by 1.2 to 1.9, and which of them
// wins depends on the machine and on how the ranges lie (2026-11, an AMD EPYC with 32 MiB of cache, 64 MiB: memcpy 8 to
// 9.5 GB/s, string moves 6 to 14, streaming stores of 16 bytes 10 to 15, of a whole line 12 to 16). So the first such
// copies of a process go every way in turn, and the fastest way is kept. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

namespace canopy {

// From how many bytes on bulk_copy() is worth it: three quarters of the last-level cache, at least
// 4 MiB and at most 32 MiB; CANOPY_STREAM_THRESHOLD overrides. Not asked for copies up to 1 MiB, and never reached
// under sanitizers, which know memcpy only.
size_t bulk_threshold();

// As memcpy: the ranges do not overlap, and on return all is visible before any later store.
void bulk_copy(void* dst, const void* src, size_t bytes);

namespace bulk_detail {

using CopyWay = void (*)(void* dst, const void* src, size_t bytes);
// The ways of this machine, memcpy first; their number.
constexpr size_t kMostWays = 4;
size_t ways(CopyWay* out);

}  // namespace bulk_detail
}  // namespace canopy
