#include "runtime/driver/address_space.h"

#include "runtime/base/check.h"

#include <iterator>
#include <mutex>

namespace canopy {

namespace {

Access join(bool reads, bool writes) { return writes ? Access::read_write : reads ? Access::read : Access::none; }

}  // namespace

void AccessRights::grant(int device, Access access) {
  if (device < 0) {
    host = access;
    return;
  }
  const uint64_t bit = uint64_t{1} << device;
  readers = access == Access::none ? readers & ~bit : readers | bit;
  writers = access == Access::read_write ? writers | bit : writers & ~bit;
}

Access AccessRights::of(int device) const {
  return device < 0 ? host : join((readers >> device & 1) != 0, (writers >> device & 1) != 0);
}

Access AccessRights::most() const {
  return join(readers != 0 || host != Access::none, writers != 0 || host == Access::read_write);
}

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

void AddressSpace::set_rights(const void* base, const AccessRights& rights) {
  std::unique_lock lock(mutex_);
  if (const auto found = ranges_.find(reinterpret_cast<uintptr_t>(base)); found != ranges_.end()) {
    found->second.rights = rights;
  }
}

void AddressSpace::set_lost(const void* base) {
  std::unique_lock lock(mutex_);
  if (const auto found = ranges_.find(reinterpret_cast<uintptr_t>(base)); found != ranges_.end()) {
    found->second.lost = true;
  }
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
