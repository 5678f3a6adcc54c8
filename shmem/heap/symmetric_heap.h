// SymmetricHeap: the collective face of one heap (host or device) of this PE.
//
// Every PE makes the same calls in the same order with the same arguments; each call compares what
// it was asked with what PE 0 was asked, in every build, and ends the job with a sentence that
// names both when they differ: unequal requests otherwise corrupt memory long after. Barriers are
// where the specification puts them: malloc, align, calloc at their exit, free at its entry; size 0
// does nothing.
#pragma once

#include "runtime/base/range_allocator.h"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace canopy::shmem {

class World;
class BlockBook;

enum class HeapKind : uint8_t { host, device };

// Public names of the requests, as they stand in the control page. The order is the wire format.
enum class HeapRoutine : uint32_t { malloc, calloc, align, realloc, free, device_heap };

// "shmem_malloc" and so on: the public name of the request.
const char* routine_name(HeapRoutine routine, HeapKind kind);

struct HeapInfo {
  uint64_t bytes = 0;
  uint64_t free_bytes = 0;
  uint64_t largest_free = 0;  // one block of that many bytes can be had
  uint64_t live_blocks = 0;
};

class SymmetricHeap {
 public:
  // Objects start at cache lines, so that no two of them share one.
  static constexpr uint64_t kUnit = 64;
  // Heaps begin at multiples of this, the same on every PE only up to here.
  static constexpr uint64_t kMostAlignment = 2u << 20;

  // `book`: where to note blocks; null: nobody asked.
  SymmetricHeap(World& world, HeapKind kind, std::byte* base, uint64_t bytes, BlockBook* book)
      : world_(world), kind_(kind), base_(base), bytes_(bytes), book_(book), allocator_(bytes, kUnit) {}

  // Null when the heap has no such range (the reason is in the error text), on every PE alike.
  // REQUIRES: alignment is a power of two.
  void* allocate(HeapRoutine routine, uint64_t size, uint64_t alignment);
  // The memory is zero on every PE before any PE returns.
  void* allocate_zeroed(uint64_t count, uint64_t size);
  // Contents are kept up to the smaller size; on failure the old block stays.
  void* reallocate(void* old, uint64_t size);
  void release(void* address);

  HeapKind kind() const { return kind_; }
  std::byte* base() const { return base_; }
  uint64_t bytes() const { return bytes_; }
  bool contains(const void* address) const {
    return static_cast<uint64_t>(static_cast<const std::byte*>(address) - base_) < bytes_;
  }
  // Any thread, also beside a collective call of another.
  HeapInfo info() const;

 private:
  // Debug mode: every PE is in this request, with these arguments. Before those that do nothing return.
  void announce(HeapRoutine routine, uint64_t size, const void* old) const;
  std::optional<uint64_t> take(HeapRoutine routine, uint64_t size, uint64_t alignment);
  void note(HeapRoutine routine, uint64_t offset, uint64_t size);
  void give_back(uint64_t offset);
  // Offset and length of the block at `address`; ends the job when nothing was allocated there.
  std::pair<uint64_t, uint64_t> checked_block(void* address, HeapRoutine routine) const;

  World& world_;
  const HeapKind kind_;
  std::byte* const base_;
  const uint64_t bytes_;
  BlockBook* const book_;
  mutable std::mutex mutex_;  // guards allocator_: info() may come at any time
  RangeAllocator allocator_;
};

}  // namespace canopy::shmem
