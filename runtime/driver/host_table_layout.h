// What lies in the host table's file, for whoever maps it.
//
//   offset 0      +--------------------------------------------------+
//                 | magic, version, sizes, high water, identity      |
//                 |                                      (1 line)    |
//            64   | spin permits in use on the host      (1 line)    |
//           128   | robust mutex                         (1 line)    |
//           192   +--------------------------------------------------+
//                 | devices: records, traffic, events (device_area.h)|
//        176448   +--------------------------------------------------+
//                 | slot 0: owner line, peers' line,                 |
//                 |         used pages of 64 devices                 |
//        176832   | slot 1                                           |
//                 | ...                            212 slots in all  |
//        258048   +--------------------------------------------------+   (below 256 KiB)
//
// Bytes of the file as lock names (OFD locks, range_lock.h; they do not touch the contents):
//   byte 0       presence: shared by all who have joined, exclusive while one resets the file. The
//                only part that all versions of the layout must agree on.
//   byte 1 + i   slot i: held exclusively by its owner for as long as it lives.
//   byte 2^62 + n   the memory file with inode number n, whose process is gone: held by who counts it.
//
// Who writes: the header's identity whoever holds byte 0 exclusively; high_water and the state, pid (with its
// namespace) and name of slots whoever holds the mutex; used_pages, open_devices, spin_permits, the broker's name and the
// statistics' place of a slot its owner alone, and whoever holds the mutex once the owner's lock is gone; the bell
// of a slot, told_age, and what there is of devices, anybody.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/peer_bell.h"
#include "runtime/driver/device_area.h"
#include "runtime/driver/host_table.h"

#include <pthread.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace canopy::host_table {

inline constexpr uint64_t kMagic = 0x656c626154636e43;  // "CncTable" in the file
inline constexpr uint32_t kVersion = 5;
inline constexpr size_t kNameBytes = 40;

enum SlotState : uint32_t { kFree = 0, kHeld = 1 };

struct alignas(kCacheLine) Slot {
  uint32_t state;         // SlotState; released by the claim, after the rest was written
  int32_t pid;            // as the owner sees itself; for people, never for liveness
  uint32_t spin_permits;  // the owner's part of Header::spin_used
  uint32_t age;           // how often the slot was taken
  uint64_t open_devices;  // bit d: device d is open
  char name[kNameBytes];  // of the program, terminated; ends in "~" when it was cut
  alignas(kCacheLine) PeerBell bell;  // rung by processes that changed a word which the owner watches
  uint64_t broker[2];                 // its name; 0: none. [1] before [0], which is released
  uint64_t stats_inode;               // of stats_fd; 0: none. Released, behind stats_fd
  int32_t stats_fd;                   // of the memory file of its engine_stats.h
  uint64_t pid_namespace;             // that pid is of, by its inode; 0: not known
  uint32_t told_age;                  // the owner whose death is in the event log, by its age
  alignas(kCacheLine) uint32_t used_pages[kMaxDevices];
};
inline constexpr uint64_t kPageBytes = 4096;  // the unit of used_pages
static_assert(sizeof(Slot) == 384);
static_assert(offsetof(Slot, spin_permits) == 8);
static_assert(offsetof(Slot, open_devices) == 16);
static_assert(offsetof(Slot, name) == 24);
static_assert(offsetof(Slot, bell) == kCacheLine);
static_assert(offsetof(Slot, broker) == 80);
static_assert(offsetof(Slot, stats_inode) == 96);
static_assert(offsetof(Slot, pid_namespace) == 112);
static_assert(offsetof(Slot, told_age) == 120);
static_assert(offsetof(Slot, used_pages) == 2 * kCacheLine);

struct Header {
  uint64_t magic;
  uint32_t version;
  uint32_t header_bytes;
  uint32_t slot_bytes;
  uint32_t slot_count;
  uint32_t devices;
  uint32_t mutex_bytes;  // differs between 32-bit and 64-bit processes, which cannot share it
  uint32_t high_water;   // slots from here on have not been used since the reset
  uint64_t identity[2];  // random: tells this table from all others
  alignas(kCacheLine) uint32_t spin_used;
  alignas(kCacheLine) pthread_mutex_t mutex;
};
static_assert(sizeof(Header) == 3 * kCacheLine);
static_assert(offsetof(Header, version) == 8);
static_assert(offsetof(Header, high_water) == 32);
static_assert(offsetof(Header, identity) == 40);
static_assert(offsetof(Header, spin_used) == 64);
static_assert(offsetof(Header, mutex) == 128);

// One page of 4 KiB less than 256 KiB.
inline constexpr size_t kFileBytes = 63 * 4096;
inline constexpr size_t kDevicesOffset = sizeof(Header);
inline constexpr size_t kSlotsOffset = kDevicesOffset + sizeof(DeviceArea);
inline constexpr uint32_t kSlots = (kFileBytes - kSlotsOffset) / sizeof(Slot);
static_assert(kSlotsOffset == 176448 && kSlotsOffset % kCacheLine == 0);
static_assert(kSlots == 212);
static_assert(kMaxDevices == kDeviceRecords);

inline constexpr off_t kPresenceByte = 0;
inline constexpr off_t name_byte(uint64_t name) {
  constexpr uint64_t kNames = uint64_t{1} << 62;
  return static_cast<off_t>(kNames | (name & (kNames - 1)));
}
inline constexpr off_t slot_byte(uint32_t slot) { return 1 + static_cast<off_t>(slot); }

}  // namespace canopy::host_table
