#include "runtime/core/host_registration.h"

#include "runtime/base/mapping.h"

#include <sys/mman.h>

#include <cerrno>
#include <iterator>

namespace canopy {
namespace {

// msync() of nothing: tells whether all pages are there.
Result<> check_mapped(void* base, uint64_t bytes) {
  if (::msync(base, bytes, MS_ASYNC) == 0) {
    return {};
  }
  return fail_errno(Errc::invalid_argument, errno,
                    "{} bytes at {} are not all memory of this process", bytes, fmt::ptr(base));
}

}  // namespace

Result<> HostRegistrations::add(Driver& driver, void* base, uint64_t bytes, bool mapped,
                                bool pinned) {
  const auto at = reinterpret_cast<uintptr_t>(base);
  if (at % page_size() != 0) {
    return fail(Errc::misaligned, "{} is not on a boundary of {} bytes", fmt::ptr(base), page_size());
  }
  if (bytes == 0 || at + bytes < at) {
    return fail(Errc::invalid_argument, "{} bytes at {} cannot be registered", bytes,
                fmt::ptr(base));
  }
  const auto ours = driver.find_memory(base);
  const bool registered_already = ours && ours->registered;
  if (ours && !registered_already) {
    if (ours->kind != MemoryKind::pinned_host || !ours->contains(base, bytes)) {
      return fail(Errc::invalid_argument, "{} bytes at {} are not all host memory", bytes,
                  fmt::ptr(base));
    }
    if (pinned) {
      return fail(Errc::busy, "{} is pinned already: it comes from aclrtMallocHost",
                  fmt::ptr(base));
    }
  } else if (!ours && driver.is_pool_address(base)) {
    return fail(Errc::invalid_argument, "{} lies in no live allocation", fmt::ptr(base));
  } else {
    CANOPY_TRY(check_mapped(base, bytes));
  }
  std::lock_guard lock(mutex_);
  const auto after = ranges_.lower_bound(at);
  const bool clear_above = after == ranges_.end() || at + bytes <= after->first;
  const bool clear_below =
      after == ranges_.begin() || std::prev(after)->first + std::prev(after)->second.bytes <= at;
  if (!clear_above || !clear_below) {
    return fail(Errc::busy, "some of the {} bytes at {} is registered already", bytes,
                fmt::ptr(base));
  }
  if (pinned && !driver.address_space().try_add({.base = static_cast<std::byte*>(base),
                                                 .bytes = bytes,
                                                 .kind = MemoryKind::pinned_host,
                                                 .device = kHostMemory,
                                                 .registered = true})) {
    return fail(Errc::invalid_argument, "some of the {} bytes at {} is memory of a device", bytes,
                fmt::ptr(base));
  }
  ranges_.emplace(at, Registration{bytes, mapped, pinned});
  return {};
}

Result<> HostRegistrations::remove(Driver& driver, void* base, FreeNote& note) {
  std::lock_guard lock(mutex_);
  const auto found = ranges_.find(reinterpret_cast<uintptr_t>(base));
  if (found == ranges_.end()) {
    return fail(Errc::not_found, "{} is not the start of registered host memory", fmt::ptr(base));
  }
  if (found->second.pinned) {
    driver.address_space().remove(base);
  }
  ranges_.erase(found);
  note.over();
  return {};
}

std::optional<HostRegistrations::Found> HostRegistrations::find(const void* address) const {
  const auto at = reinterpret_cast<uintptr_t>(address);
  std::lock_guard lock(mutex_);
  const auto after = ranges_.upper_bound(at);
  if (after == ranges_.begin() || at - std::prev(after)->first >= std::prev(after)->second.bytes) {
    return std::nullopt;
  }
  const auto& [base_of, registration] = *std::prev(after);
  return Found{reinterpret_cast<void*>(base_of), registration.bytes, registration.mapped};
}

void HostRegistrations::clear(Driver& driver) {
  std::lock_guard lock(mutex_);
  for (const auto& [base, registration] : ranges_) {
    if (registration.pinned) {
      driver.address_space().remove(reinterpret_cast<void*>(base));
    }
  }
  ranges_.clear();
}

}  // namespace canopy
