// SharedEventPage: an event that several processes record and wait for, in a page that all of them map.
//
//   0                     64          128                      256
//   [ magic, device ]     [ newest ]  [ waiting: 11 words ]    [ records: 480 words ]
//
// Records are numbered from 1. `newest` is the number that a wait binds to; record n lies in records[n % 480]:
//
//   63            26  25              10  9        2  1     0
//   [ number        ][ recorder's slot ][ its age  ][ phase ]
//
// All by compare-and-swap, without locks: a process may be killed between any two instructions. Who takes the word of
// record n and is killed before it has moved `newest` is helped by the next one. A number whose word still holds a
// pending record is skipped; when all of them do, the call waits.
//
// `waiting` has a bit for each slot of the host table whose process waits for a record that is not complete: it
// raises the bit and looks at the record once more before it parks; who ends a record looks at the bits after
// that, and rings these processes. Of the two, one sees the other (both sides are seq_cst).
#pragma once

#include "runtime/base/cache_line.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace canopy {

struct SharedEventPage {
  static constexpr uint64_t kMagic = 0x31746e6576456e43;  // "CnEvent1"
  static constexpr uint32_t kRecords = 480;
  static constexpr uint32_t kSlotWords = 11;
  static constexpr uint64_t kMostRecords = (uint64_t{1} << 38) - 1;  // what a word can number

  enum Phase : uint64_t { kFree = 0, kPending = 1, kDone = 2, kLost = 3 };
  // Which process makes a record: its slot, and how often the slot has been taken.
  struct Recorder {
    uint32_t slot = 0;
    uint8_t age = 0;
    bool operator==(const Recorder&) const = default;
  };
  static constexpr uint64_t word_of(uint64_t number, Recorder who, Phase phase) {
    return number << 26 | uint64_t{who.slot} << 10 | uint64_t{who.age} << 2 | phase;
  }
  static constexpr uint64_t number_of(uint64_t word) { return word >> 26; }
  // The last number that may be the newest, so that those behind it fit into a word: a million per second for three
  // days, or something that no record has made.
  static constexpr uint64_t kMostNumber = (uint64_t{1} << 38) - 1 - kRecords;
  static constexpr Phase phase_of(uint64_t word) { return static_cast<Phase>(word & 3); }
  static constexpr Recorder recorder_of(uint64_t word) {
    return {static_cast<uint32_t>(word >> 10 & 0xFFFF), static_cast<uint8_t>(word >> 2)};
  }
  uint64_t& record(uint64_t number) { return records[number % kRecords]; }

  uint64_t magic;
  int32_t device;  // the creator's, as the host numbers it
  alignas(kCacheLine) uint64_t newest;
  alignas(kCacheLine) uint64_t waiting[kSlotWords];
  alignas(kCacheLine) uint64_t records[kRecords];
};
static_assert(sizeof(SharedEventPage) == 4096);
static_assert(offsetof(SharedEventPage, waiting) == 128);
static_assert(offsetof(SharedEventPage, records) == 256);
static_assert(std::atomic_ref<uint64_t>::is_always_lock_free);

}  // namespace canopy
