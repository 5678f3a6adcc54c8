// SharedNotify: the part of a notify that lies in a page which several processes map.
//
//   0                                        64
//   [ magic ][ id ][ device ][ imports ]     [ word ][ waiting ]
//
// `word` is changed by atomic read-modify-writes of any process; only the creator waits for it. Who has changed it
// reads `waiting`, and rings the creator only then. The creator raises `waiting`, and looks at the word once more before
// it parks: of the two, one sees the other (both sides are seq_cst).
#pragma once

#include "runtime/base/cache_line.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace canopy {

struct SharedNotify {
  static constexpr uint64_t kMagic = 0x31796669746f4e43;  // "CNotify1"

  uint64_t magic;
  uint32_t id;       // the creator's number on its device
  int32_t device;    // as the host numbers it
  uint32_t imports;  // goes up with every import
  alignas(kCacheLine) uint32_t word;
  uint32_t waiting;  // strands of the creator's are parked
};
static_assert(sizeof(SharedNotify) == 2 * kCacheLine);
static_assert(offsetof(SharedNotify, word) == kCacheLine);
static_assert(std::atomic_ref<uint32_t>::is_always_lock_free);

}  // namespace canopy
