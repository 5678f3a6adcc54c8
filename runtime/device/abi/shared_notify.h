// SharedNotify: the part of a notify that lies in a page which several processes map.
//
//   0                                        64
//   [ magic ][ id ][ device ][ imports ]     [ records ][ waiting ]
//
// Any process counts `records` up by atomic read-modify-writes. Only the creator waits, and keeps for itself how many of them
// it has taken: the notify is set while there are others, and a wait that is let through, or a reset, takes them all. So it
// never writes to a line that who records is about to write to. Who has recorded reads `waiting`, and rings the creator only
// then. The creator raises `waiting`, and looks at `records` once more before it parks: of the two, one sees the other (both
// sides are seq_cst).
#pragma once

#include "runtime/base/cache_line.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace canopy {

struct SharedNotify {
  static constexpr uint64_t kMagic = 0x32796669746f4e43;  // "CNotify2"

  uint64_t magic;
  uint32_t id;       // the creator's number on its device
  int32_t device;    // as the host numbers it
  uint32_t imports;  // goes up with every import
  alignas(kCacheLine) uint64_t records;
  uint32_t waiting;  // strands of the creator's are parked, or were just now
};
static_assert(sizeof(SharedNotify) == 2 * kCacheLine);
static_assert(offsetof(SharedNotify, records) == kCacheLine);
static_assert(std::atomic_ref<uint64_t>::is_always_lock_free);

}  // namespace canopy
