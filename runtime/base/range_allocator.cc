#include "runtime/base/range_allocator.h"

#include "runtime/base/check.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace canopy {

RangeAllocator::RangeAllocator(uint64_t size, uint64_t granularity)
    : size_(size / granularity * granularity), granularity_(granularity) {
  CHECK(std::has_single_bit(granularity), "the granularity must be a power of two");
  if (size_ != 0) {
    add_free(0, size_);
  }
}

void RangeAllocator::add_free(uint64_t offset, uint64_t length) {
  free_.emplace(offset, length);
  by_length_.emplace(length, offset);
}

void RangeAllocator::take_free(uint64_t offset, uint64_t length) {
  free_.erase(offset);
  by_length_.erase({length, offset});
}

std::optional<uint64_t> RangeAllocator::allocate(uint64_t bytes, uint64_t alignment) {
  if (bytes == 0 || bytes > size_) {
    return std::nullopt;
  }
  const uint64_t length = (bytes + granularity_ - 1) / granularity_ * granularity_;
  alignment = std::max(alignment, granularity_);
  for (auto it = by_length_.lower_bound({length, 0}); it != by_length_.end(); ++it) {
    const auto [room, start] = *it;
    const uint64_t at = (start + alignment - 1) & ~(alignment - 1);
    if (at - start > room || room - (at - start) < length) {
      continue;  // long enough, but not once aligned
    }
    take_free(start, room);
    if (at != start) {
      add_free(start, at - start);
    }
    const uint64_t rest = room - (at - start) - length;
    if (rest != 0) {
      add_free(at + length, rest);
    }
    allocated_.emplace(at, length);
    used_ += length;
    return at;
  }
  return std::nullopt;
}

std::optional<uint64_t> RangeAllocator::free(uint64_t offset) {
  auto it = allocated_.find(offset);
  if (it == allocated_.end()) {
    return std::nullopt;
  }
  const uint64_t freed = it->second;
  uint64_t length = freed;
  allocated_.erase(it);
  used_ -= freed;
  auto after = free_.lower_bound(offset);
  if (after != free_.begin()) {
    auto before = std::prev(after);
    if (before->first + before->second == offset) {
      offset = before->first;
      length += before->second;
      take_free(before->first, before->second);
    }
  }
  after = free_.lower_bound(offset);
  if (after != free_.end() && offset + length == after->first) {
    const auto [start, room] = *after;
    take_free(start, room);
    length += room;
  }
  add_free(offset, length);
  return freed;
}

std::optional<std::pair<uint64_t, uint64_t>> RangeAllocator::find(uint64_t offset) const {
  auto it = allocated_.upper_bound(offset);
  if (it == allocated_.begin()) {
    return std::nullopt;
  }
  --it;
  if (offset - it->first >= it->second) {
    return std::nullopt;
  }
  return std::pair(it->first, it->second);
}

uint64_t RangeAllocator::largest_free() const {
  return by_length_.empty() ? 0 : by_length_.rbegin()->first;
}

}  // namespace canopy
