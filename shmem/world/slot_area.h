// SlotArea: one reservation of address space in which every PE of the host has a slot, all of one
// stride.
//
//   slot i:  | control page  gap | host heap  globals | gap | device heap ... room | next slot
//            0                 2 MiB           + host_bytes + 2 MiB or more      stride
//                              |<------------- user area ---------------->|
//
// The same offset from the start of a user area is the same symmetric object on every PE, of either
// kind. What is not mapped faults. Not thread-safe: filled during init, or under a collective call.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/result.h"
#include "shmem/world/control_page.h"

#include <cstdint>

namespace canopy::shmem {

class SlotArea {
 public:
  // `device_room` is the least room for device heaps; there may be more (device_room()).
  // `globals_bytes` of the executable's globals are the end of the host's part; whole pages, or none.
  static Result<SlotArea> reserve(int slots, uint64_t heap_bytes, uint64_t globals_bytes,
                                  uint64_t device_room);

  Result<> place_control(int slot, const UniqueFd& fd);
  Result<> place_host(int slot, const UniqueFd& fd);
  Result<> place_globals(int slot, const UniqueFd& fd);
  // REQUIRES: bytes <= device_room()
  Result<> place_device(int slot, const UniqueFd& fd, uint64_t bytes);

  ControlPage* control(int slot) const { return reinterpret_cast<ControlPage*>(start(slot)); }
  std::byte* user(int slot) const { return start(slot) + kUserAt; }
  // Heap and globals: what loads, stores and transports reach of the host's memory.
  uint64_t host_bytes() const { return heap_bytes_ + globals_bytes_; }
  uint64_t heap_bytes() const { return heap_bytes_; }
  uint64_t globals_bytes() const { return globals_bytes_; }
  uint64_t device_offset() const {  // from user()
    return (host_bytes() + kGap - 1) / kGap * kGap + kGap;
  }
  uint64_t device_room() const { return stride_ - kUserAt - device_offset(); }

  static constexpr uint64_t kUserAt = 2u << 20;
  static constexpr uint64_t kGap = 2u << 20;
  static uint64_t control_bytes();

 private:
  std::byte* start(int slot) const { return area_.base() + static_cast<uint64_t>(slot) * stride_; }
  size_t at(int slot, uint64_t offset) const {
    return static_cast<uint64_t>(slot) * stride_ + offset;
  }

  Mapping area_;
  uint64_t heap_bytes_ = 0;
  uint64_t globals_bytes_ = 0;
  uint64_t stride_ = 0;
};

}  // namespace canopy::shmem
