// ManagedMemory: memory with one address for the host and every device, and what the user has said
// about its pages.
//
// Simulated as host memory: every agent reaches it directly, and no device's capacity counts it. So
// advice and locations are kept per 2 MiB page and told, and a prefetch makes pages resident.
//
// Addresses: 3 TiB from 0x90000000000 on, as the interface documents; where that is taken (or a
// sanitizer keeps its shadow there) anywhere. Thread-safe; one mutex.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/range_allocator.h"
#include "runtime/device/memory_watch.h"
#include "runtime/driver/address_space.h"
#include "runtime/driver/physical_memory.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace canopy {

struct ManagedLocation {
  enum class Kind : uint8_t { none, device, host, host_numa };
  Kind kind = Kind::none;
  int32_t id = -2;  // of the device or NUMA node

  bool operator==(const ManagedLocation&) const = default;
};

struct ManagedPage {
  bool read_mostly = false;
  bool accessed_by_host = false;
  uint64_t accessed_by_devices = 0;  // bit d: device d
  ManagedLocation preferred;
  ManagedLocation prefetched;  // the newest prefetch
};

class ManagedMemory {
 public:
  static constexpr uint64_t kPage = kGranule;

  static Result<std::unique_ptr<ManagedMemory>> create(HostTable& table);

  // `bytes` rounded up to pages, zeroed.
  Result<void*> allocate(uint64_t bytes);
  // Errc::invalid_argument when `address` is not the start of a live allocation. `note` is over on success.
  Result<> free(void* address, FreeNote& note);
  std::optional<MemoryRange> find(const void* address) const;
  bool contains(const void* address) const { return arena_.contains(address); }

  // Calls work with the pages that [address, +bytes) touches, under the mutex.
  // Errc::invalid_argument when they are not all of one live allocation.
  Result<> with_pages(const void* address, uint64_t bytes,
                      const std::function<void(std::span<ManagedPage>)>& work);
  // Makes the pages of the range resident and notes where they went; nothing where memory was freed
  // meanwhile.
  void prefetch(const void* address, uint64_t bytes, ManagedLocation to);
  void release_all();

 private:
  struct Allocation {
    PhysicalMemory memory;
    uint64_t bytes;
    std::vector<ManagedPage> pages;
  };
  ManagedMemory(HostTable& table, Mapping arena);

  HostTable& table_;
  mutable std::mutex mutex_;  // guards all below
  Mapping arena_;
  RangeAllocator ranges_;
  std::unordered_map<uint64_t, Allocation> allocations_;  // by arena offset
};

}  // namespace canopy
