// RangeAllocator: hands out ranges of [0, size) - offsets, never memory. Best fit with coalescing,
// O(log n) per call. Deterministic: the same calls give the same offsets everywhere.
//
// Not thread-safe; callers lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace canopy {

class RangeAllocator {
 public:
  // Every range is a multiple of `granularity` (a power of two) long and starts at a multiple of it.
  RangeAllocator(uint64_t size, uint64_t granularity);

  // The offset of a free range of at least `bytes` (> 0), at a multiple of `alignment` (a power of
  // two); nothing when none is large enough.
  std::optional<uint64_t> allocate(uint64_t bytes, uint64_t alignment);
  // Frees what allocate() returned; its length, or nothing when `offset` is not one of those.
  std::optional<uint64_t> free(uint64_t offset);
  // The allocated range that holds `offset`: its start and length.
  std::optional<std::pair<uint64_t, uint64_t>> find(uint64_t offset) const;

  uint64_t used_bytes() const { return used_; }
  uint64_t free_bytes() const { return size_ - used_; }
  uint64_t largest_free() const;
  size_t allocations() const { return allocated_.size(); }
  const std::map<uint64_t, uint64_t>& allocated() const { return allocated_; }

 private:
  void add_free(uint64_t offset, uint64_t length);
  void take_free(uint64_t offset, uint64_t length);

  const uint64_t size_;
  const uint64_t granularity_;
  uint64_t used_ = 0;
  std::map<uint64_t, uint64_t> allocated_;                // offset -> length
  std::map<uint64_t, uint64_t> free_;                     // offset -> length
  std::set<std::pair<uint64_t, uint64_t>> by_length_;     // (length, offset)
};

}  // namespace canopy
