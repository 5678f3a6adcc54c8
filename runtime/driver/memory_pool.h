// MemoryPool: one device's HBM (or pinned host memory) as aclrtMalloc hands it out.
//
// The pool owns a range of reserved address space, an arena of 2 MiB granules. An allocation of a
// granule or more has a memfd of its own; smaller ones are cells of a slab, a granule divided into
// cells of one size. Exporting a cell exposes its slab. Whole slabs and granules count as used.
// Freed slabs go back at once but for one per cell size, which trim() also gives back.
//
// Thread-safe: one mutex per pool; not on the launch path.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/range_allocator.h"
#include "runtime/device/memory_watch.h"
#include "runtime/driver/address_space.h"
#include "runtime/driver/physical_memory.h"

#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace canopy {

class MemoryPool {
 public:
  // `device` may be kHostMemory; `capacity` is the device's, of all processes together.
  static Result<std::unique_ptr<MemoryPool>> create(HostTable& table, int device, uint64_t capacity);
  ~MemoryPool();

  // `bytes`, 64-byte aligned, zero or stale content. Errc::no_memory with the figures when the device is
  // full even after trim().
  Result<void*> allocate(uint64_t bytes, PageKind pages = PageKind::normal);
  // Errc::invalid_argument when `address` is not the start of a live allocation. `note`, if any, is over on success.
  Result<> free(void* address, FreeNote* note = nullptr);
  // The live allocation that `address` lies in, as long as it was asked for.
  std::optional<MemoryRange> find(const void* address) const;
  bool contains(const void* address) const { return arena_.contains(address); }
  // All addresses that it may ever give out.
  MemorySpan span() const { return {arena_.base(), arena_.bytes()}; }
  // What lies below a live allocation: the file, from where in it, and the allocation itself. The memory stays, and
  // counts as used, as long as somebody holds it; freeing makes the address free, and a cell of a slab too.
  struct Backing {
    std::shared_ptr<PhysicalMemory> memory;
    uint64_t offset = 0;  // of `address` in the file
    MemoryRange allocation;
  };
  std::optional<Backing> backing(const void* address) const;
  // Gives back what no allocation needs.
  void trim();
  // Frees everything; only the address space stays.
  void release_all();
  size_t allocations() const;
  // What counts as used because of this pool, now and at most so far.
  struct Held {
    uint64_t bytes = 0;
    uint64_t peak = 0;
  };
  Held held() const;

 private:
  struct Slab;
  struct Block {
    std::shared_ptr<PhysicalMemory> memory;  // shared with those who export it
    uint64_t bytes;  // as asked for; of a slab: all
    PageKind pages;
  };
  MemoryPool(HostTable& table, int device, uint64_t capacity, Mapping arena);
  Result<uint64_t> place_granules(uint64_t bytes, PageKind pages);
  Result<> drop_granules(uint64_t offset);
  Result<void*> allocate_cell(uint64_t bytes, PageKind pages);
  Slab* slab_of(uint64_t offset) const;
  // REQUIRES: mutex_ held; `address` lies in the arena.
  Result<> free_locked(void* address);
  std::optional<MemoryRange> find_locked(const void* address) const;
  std::optional<MemoryRange> range_at(uint64_t start, uint64_t bytes, PageKind pages, uint64_t offset) const;
  MemoryKind kind() const { return device_ == kHostMemory ? MemoryKind::pinned_host : MemoryKind::device; }

  HostTable& table_;
  const int device_;
  const uint64_t capacity_;
  mutable std::mutex mutex_;  // guards all below
  Mapping arena_;
  RangeAllocator granules_;
  std::unordered_map<uint64_t, Block> physical_;                 // by arena offset
  std::unordered_map<uint64_t, std::unique_ptr<Slab>> slabs_;    // by arena offset
  std::vector<std::vector<Slab*>> usable_;                       // by cell class: slabs with a free cell
  size_t live_ = 0;
  Held held_;
};

}  // namespace canopy
