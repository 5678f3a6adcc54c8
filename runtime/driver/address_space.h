// AddressSpace: what an address of this process is - device memory of which device, pinned host
// memory, managed memory, or unknown to us (pageable) - and how far its allocation reaches.
//
// Lookups take a shared lock only when the address lies in one of the registered regions; they are
// not on the launch path. Thread-safe.
#pragma once

#include "runtime/base/result.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <shared_mutex>

namespace canopy {

enum class MemoryKind : uint8_t { device, pinned_host, managed };

// The pages that an allocation was asked for with. Simulated: reported, counted in granules of 2 MiB all
// the same.
enum class PageKind : uint8_t { normal, huge, huge_1g };

constexpr uint32_t page_bytes(PageKind kind) {
  return kind == PageKind::normal ? 4u << 10 : kind == PageKind::huge ? 2u << 20 : 1u << 30;
}

enum class Access : uint8_t { none = 0, read = 1, read_write = 3 };  // the numbers of the C API

// Who may touch mapped memory, and how: devices by their numbers, and the host (any number below 0).
struct AccessRights {
  uint64_t readers = 0;  // bit d: device d
  uint64_t writers = 0;
  Access host = Access::none;

  void grant(int device, Access access);
  Access of(int device) const;
  // What the pages must allow: all of these are code of one process.
  Access most() const;
};

struct Grant {
  int device;  // below 0: the host
  Access access;
};

struct MemoryRange {
  std::byte* base = nullptr;
  uint64_t bytes = 0;
  MemoryKind kind = MemoryKind::device;
  int device = 0;          // of device memory; for pinned memory the device it was made for
  bool peer_mapped = false;  // a peer's memory mapped here: usable, never freed by aclrtFree
  PageKind pages = PageKind::normal;
  bool registered = false;  // the caller's own memory: what lies around it is ordinary host memory
  bool mapped = false;      // in a range of addresses that the program reserved: `rights` hold, not peer access
  bool lost = false;        // another process's, which is gone
  bool remote = false;      // on another host: copies go there, nothing else does
  AccessRights rights = {};

  bool contains(const void* p, uint64_t count) const {
    const uint64_t at = reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(base);
    return at < bytes && count <= bytes - at;
  }
};

class AddressSpace {
 public:
  // Ranges must not overlap (CHECK).
  void add(const MemoryRange& range);
  // The same for ranges that users name: false, and nothing done, when one is there already.
  bool try_add(const MemoryRange& range);
  // False when no range starts at `base`.
  bool remove(const void* base);
  // Both: of the range that starts at `base`; nothing happens when there is none.
  void set_rights(const void* base, const AccessRights& rights);
  void set_lost(const void* base);
  // The range that `address` lies in.
  std::optional<MemoryRange> find(const void* address) const;

 private:
  mutable std::shared_mutex mutex_;  // guards ranges_
  std::map<uintptr_t, MemoryRange> ranges_;  // by base
};

}  // namespace canopy
