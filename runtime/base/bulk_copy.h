// Copies of more than a first-level cache holds, in the fastest way of this machine.
//
// memcpy loses there, and which way wins depends on the machine, on the size and on how the ranges lie (2026-11, an EPYC with
// 32 MiB of cache: 16 KiB by memcpy 33 GB/s, by plain vector moves 40; 1 MiB 40 and 41, 4 MiB 35 and 44; past the caches
// 16 MiB by memcpy 14, streamed by 16 bytes 15, by lines 23; 64 MiB 9, 10 and 13. A Xeon streams 64 MiB at 10 GB/s, and at
// 14 four pages side by side). So the first copies of each power of two (of large ones, their parts of 1 MiB) go every way some
// times, and the fastest way is kept.
// Under sanitizers, which know memcpy only, it is memcpy. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

namespace canopy {

// Below it, memcpy.
inline constexpr size_t kLeastBulk = size_t{16} << 10;

// From here on copies go past the caches where that is faster: three quarters of the last-level cache, at least 4 MiB and
// at most 16 MiB; CANOPY_STREAM_THRESHOLD overrides.
size_t bulk_threshold();

// As memcpy: the ranges do not overlap, or are the same, and on return all is visible before any later store.
void bulk_copy(void* dst, const void* src, size_t bytes);

// The same for what another core has read and reads next, whatever the size: past the caches, unless the two share one.
// (512 KiB and up: 1.4 x as fast past them between the caches of a Xeon; half as fast within that of an EPYC.)
void copy_to_other_core(void* dst, const void* src, size_t bytes);

namespace bulk_detail {

using CopyWay = void (*)(void* dst, const void* src, size_t bytes);
// All ways of this machine, memcpy first; their number.
constexpr size_t kMostWays = 6;
size_t ways(CopyWay* out);

}  // namespace bulk_detail
}  // namespace canopy
