// VirtualMemory: addresses that the program reserves, or that imports are given, and what is mapped there.
//
// Addresses come from one large range that is reserved at the first call, so that a pointer to what was unmapped
// goes on being known as one of ours; only reservations that name an address, or that do not fit, have a range of their
// own. What is mapped is told to the AddressSpace, where copies look. All code of this process shares one set of pages,
// so pages allow what any of those allow who have access.
//
// Thread-safe: one mutex, not on the launch path. Memory objects do not end under it, because the end of an import waits
// for its callback, which may be in mark_lost(): callers keep what they pass, and let go of what they get.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/range_allocator.h"
#include "runtime/base/waiter.h"
#include "runtime/device/memory_watch.h"
#include "runtime/driver/address_space.h"
#include "runtime/driver/memory_object.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace canopy {

class VirtualMemory {
 public:
  explicit VirtualMemory(AddressSpace& space) : space_(space) {}

  // ---- Addresses that the program reserves.

  // `bytes` are rounded up to granules. `alignment`: 0, or a power of two. `wish`: where it would be nice, or null.
  Result<void*> reserve(uint64_t bytes, uint64_t alignment, void* wish);
  // Errc::invalid_argument: not the start of a reservation; busy: something is mapped there.
  Result<> release(void* base);

  // ---- What is mapped there.

  // All of `object`, to [at, +its bytes) inside of one reservation. Errc::invalid_argument: outside, or not on a
  // granule; busy: something is mapped there.
  Result<> map(void* at, const std::shared_ptr<MemoryObject>& object, const AccessRights& rights);
  // The object that was mapped at `at` by map(), for the caller to let go of. `note` is over on success.
  Result<std::shared_ptr<MemoryObject>> unmap(void* at, FreeNote& note);
  struct Mapped {
    std::byte* base;
    uint64_t bytes;
    std::shared_ptr<MemoryObject> object;
    AccessRights rights;
  };
  // What map() mapped around `address`.
  std::optional<Mapped> find(const void* address) const;
  // Adds to the rights that there are now, also when several threads do so. `mapped`: from find(). told(less) is called,
  // without a lock, when the address space says so; less: the pages may still allow more, and do so until all who lower rights
  // of this memory were told. Errc::stale_handle: unmapped meanwhile.
  Result<> change_rights(const Mapped& mapped, std::span<const Grant> grants, FunctionRef<void(bool)> told);

  // ---- Imports by key: the address is ours to choose, and access is a matter of peers.

  Result<void*> map_import(const std::shared_ptr<MemoryObject>& object);
  std::shared_ptr<MemoryObject> unmap_import(void* base, FreeNote& note);

  // ---- For the rest of the runtime.

  // Whether `address` is one that was reserved here, now or (but for ranges of their own) ever.
  bool contains(const void* address) const;
  // The process that shares `object` is gone: says so of every place where it is mapped.
  void mark_lost(const MemoryObject& object);
  // Where objects that go with a device are mapped by map().
  std::vector<MemorySpan> mapped_of(int user) const;
  // Unmaps what map() mapped of the objects that go with a device, for the caller to let go of; reservations stay.
  std::vector<std::shared_ptr<MemoryObject>> unmap_all_of(int user, FreeNote& note);
  // Gives back all reservations without a mapping.
  void release_unused();

 private:
  struct Place {
    std::shared_ptr<MemoryObject> object;
    uint64_t bytes;  // whole pages
    AccessRights rights;
    Access pages;     // what the pages allow: more than `rights` while somebody lowers these
    uint64_t number;  // tells it from what is mapped here later
    int lowering = 0;  // who lowers rights just now
  };
  struct Reservation {
    uint64_t bytes;
    Mapping own;  // empty: inside of the arena
    bool of_program;
    std::map<uintptr_t, Place> places;
  };
  using Reservations = std::map<uintptr_t, Reservation>;  // by base

  // All: REQUIRES mutex_ held.
  Result<> open_arena();
  Result<uintptr_t> reserve_locked(uint64_t bytes, uint64_t alignment, void* wish, bool of_program);
  void drop(Reservations::iterator reservation);
  Reservations::iterator around(uintptr_t address);
  // What is mapped at `mapped` still; null: something else, or nothing.
  Place* place_of(const Mapped& mapped);
  Result<> protect(uintptr_t at, Place& place, Access access);
  std::pair<Mapping*, uint64_t> range_of(Reservations::iterator reservation, uintptr_t address);
  Result<> place(Reservations::iterator reservation, uintptr_t at, const std::shared_ptr<MemoryObject>& object,
                 const AccessRights& rights);
  Result<std::shared_ptr<MemoryObject>> vacate(Reservations::iterator reservation, uintptr_t at);

  AddressSpace& space_;
  std::atomic<bool> any_{false};  // whether there is an arena
  mutable std::mutex mutex_;  // guards all below
  Mapping arena_;
  std::optional<RangeAllocator> free_;
  Reservations reservations_;
  uint64_t places_made_ = 0;
  std::unordered_multimap<const MemoryObject*, uintptr_t> places_of_;  // of all reservations: an exporter may go with many
};

}  // namespace canopy
