// What the host table holds of devices: a record each, the traffic of every link, and rings of events, one of all and one of
// each. Part of host_table_layout.h; read and written through device_book.h and event_log.h.
//
//   +0       [ news                                 ]  1 line
//   +64      [ number of the next event             ]  1 line
//   +128     [ record of device 0: 4 lines          ]
//            [ ...                       64 records ]
//   +16512   [ bytes from device 0 to 0, 1, 2... 63 ]  64 x 64 words
//            [ ...                                  ]
//   +49280   [ event 0: 96 bytes                    ]
//            [ ...                       256 events ]
//   +73856   [ of device 0: how many, in a line;    ]
//            [ 16 events                            ]
//            [ ...                       64 devices ]
//   +176256
//
// Who writes: anybody, at any time; every word is an atomic of its own, and none is guarded. Counters
// only grow until the table or their device is reset.
#pragma once

#include "runtime/base/cache_line.h"

#include <cstddef>
#include <cstdint>

namespace canopy::host_table {

inline constexpr size_t kDeviceRecords = 64;
inline constexpr size_t kEvents = 256;      // of all devices
inline constexpr size_t kEventsOfOne = 16;  // the same events once more: others' push none of these out

// Text in words, so that a reader beside a writer sees torn text and no torn word.
template <size_t Words>
struct TextWords {
  static constexpr size_t kBytes = Words * 8;
  uint64_t words[Words];
};

enum FaultBit : uint32_t { kLost = 1, kEcc = 2 };

struct alignas(kCacheLine) DeviceRecord {
  // Line 0: what every process looks at, and seldom anybody changes.
  uint32_t state;       // DeviceState
  uint32_t faults;      // FaultBit
  uint32_t resets;      // how often it was reset: whoever holds older work drops it
  uint32_t reserved;
  uint64_t links_down;  // bit p: the link to device p, which has a higher number: one word per link, of one opinion
  uint64_t started_ns;  // since 1970
  uint64_t hbm_bytes;
  TextWords<3> soc;     // of who opened it first
  // Line 1.
  alignas(kCacheLine) uint64_t errors[8];  // by DeviceError
  // Line 2: changes with every copy.
  alignas(kCacheLine) uint64_t from_host;  // bytes
  uint64_t to_host;
  // Line 3.
  alignas(kCacheLine) TextWords<4> bus_id;
  uint32_t cube_cores;
  uint32_t vector_cores;
  uint32_t aicpu_cores;
};
static_assert(sizeof(DeviceRecord) == 4 * kCacheLine);
static_assert(offsetof(DeviceRecord, links_down) == 16);
static_assert(offsetof(DeviceRecord, errors) == 64);
static_assert(offsetof(DeviceRecord, from_host) == 128);
static_assert(offsetof(DeviceRecord, bus_id) == 192);

struct EventEntry {
  uint64_t stamp;  // of event n: 2n + 1 while it is written, 2n + 2 when it is whole; 0: never used
  uint64_t check;  // of all below: tells an entry that two writers have mixed
  uint64_t time_ns;  // since 1970
  uint64_t who;    // pid, device and kind
  uint64_t value;
  TextWords<7> text;
};
static_assert(sizeof(EventEntry) == 96);

struct EventRing {
  alignas(kCacheLine) uint64_t events_begun;
  alignas(kCacheLine) EventEntry events[kEventsOfOne];
};

struct DeviceArea {
  alignas(kCacheLine) uint32_t news;  // changes with every fault, clearing, reset and end of who held memory; a futex
  alignas(kCacheLine) uint64_t next_event;
  DeviceRecord devices[kDeviceRecords];
  uint64_t link_bytes[kDeviceRecords][kDeviceRecords];  // [from][to]
  EventEntry events[kEvents];
  EventRing rings[kDeviceRecords];
};
static_assert(offsetof(DeviceArea, devices) == 128);
static_assert(offsetof(DeviceArea, link_bytes) == 16512);
static_assert(offsetof(DeviceArea, events) == 49280);
static_assert(offsetof(DeviceArea, rings) == 73856);
static_assert(sizeof(DeviceArea) == 176256);

}  // namespace canopy::host_table
