#include "runtime/driver/address_space.h"

#include "runtime/base/check.h"

#include <iterator>
#include <mutex>

namespace canopy {

void AddressSpace::add(const MemoryRange& range) {
  CHECK(try_add(range), "a range of memory must be registered once");
}

bool AddressSpace::try_add(const MemoryRange& range) {
  std::unique_lock lock(mutex_);
  const auto base = reinterpret_cast<uintptr_t>(range.base);
  auto after = ranges_.lower_bound(base);
  const bool clear_above = after == ranges_.end() || base + range.bytes <= after->first;
  const bool clear_below = after == ranges_.begin() ||
                           std::prev(after)->first + std::prev(after)->second.bytes <= base;
  if (!clear_above || !clear_below) {
    return false;
  }
  ranges_.emplace(base, range);
  return true;
}

bool AddressSpace::remove(const void* base) {
  std::unique_lock lock(mutex_);
  return ranges_.erase(reinterpret_cast<uintptr_t>(base)) != 0;
}

std::optional<MemoryRange> AddressSpace::find(const void* address) const {
  std::shared_lock lock(mutex_);
  auto it = ranges_.upper_bound(reinterpret_cast<uintptr_t>(address));
  if (it == ranges_.begin()) {
    return std::nullopt;
  }
  const MemoryRange& range = std::prev(it)->second;
  if (!range.contains(address, 0) || address == range.base + range.bytes) {
    return std::nullopt;
  }
  return range;
}

}  // namespace canopy
