#include "runtime/driver/virtual_memory.h"

#include "runtime/base/check.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <iterator>

namespace canopy {
namespace {

// Addresses, not memory. Sanitizers shadow address space, so there it is bounded.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kArenaBytes = uint64_t{16} << 30;
#else
constexpr uint64_t kArenaBytes = uint64_t{1} << 40;
#endif
constexpr uint64_t kMostBytes = uint64_t{1} << 46;  // half of what a process can have at all

uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

int protection_of(Access access) {
  switch (access) {
    case Access::none: return PROT_NONE;
    case Access::read: return PROT_READ;
    case Access::read_write: return PROT_READ | PROT_WRITE;
  }
  return PROT_NONE;
}

void* pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }
uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

}  // namespace

// ---- Addresses.

Result<> VirtualMemory::open_arena() {
  if (!arena_) {
    // Under a limit of address space (ulimit -v) a small one; what does not fit has a range of its own.
    constexpr uint64_t kLeastArenaBytes = uint64_t{64} << 20;
    auto arena = Mapping::reserve(kArenaBytes, kGranule);
    if (!arena) {
      error_text::take_newest();
      arena = Mapping::reserve(kLeastArenaBytes, kGranule);
    }
    if (!arena) {
      return tl::unexpected(arena.error());
    }
    arena_ = std::move(*arena);
    free_.emplace(arena_.bytes(), kGranule);
    any_.store(true, std::memory_order_release);  // pairs with contains()
  }
  return {};
}

Result<uintptr_t> VirtualMemory::reserve_locked(uint64_t bytes, uint64_t alignment, void* wish, bool of_program) {
  CANOPY_TRY(open_arena());
  Reservation reservation{.bytes = bytes, .own = {}, .of_program = of_program, .places = {}};
  if (wish != nullptr && number(wish) % alignment == 0) {
    if (auto there = Mapping::reserve_at(number(wish), bytes)) {
      reservation.own = std::move(*there);
    } else {
      error_text::take_newest();  // a wish, no more
    }
  }
  uintptr_t base;
  if (reservation.own) {
    base = number(reservation.own.base());
  } else if (const auto offset = free_->allocate(bytes, std::max(alignment, kGranule));
             offset && (number(arena_.base()) + *offset) % alignment == 0) {
    base = number(arena_.base()) + *offset;
  } else {
    if (offset) {
      free_->free(*offset);  // the arena itself begins at a granule only
    }
    CANOPY_ASSIGN(reservation.own, Mapping::reserve(bytes, alignment));
    base = number(reservation.own.base());
  }
  reservations_.emplace(base, std::move(reservation));
  return base;
}

void VirtualMemory::drop(Reservations::iterator reservation) {
  if (!reservation->second.own) {
    CHECK(free_->free(reservation->first - number(arena_.base())), "a reservation must be known to the allocator");
  }
  reservations_.erase(reservation);
}

Result<void*> VirtualMemory::reserve(uint64_t bytes, uint64_t alignment, void* wish) {
  if (bytes == 0 || bytes > kMostBytes) {
    return fail(Errc::invalid_argument, "{} bytes of addresses cannot be reserved; 1 to {} can", bytes, kMostBytes);
  }
  if ((alignment != 0 && !std::has_single_bit(alignment)) || alignment > kMostBytes) {
    return fail(Errc::invalid_argument, "alignment {} is neither 0 nor a power of two up to {}", alignment, kMostBytes);
  }
  std::lock_guard lock(mutex_);
  return reserve_locked(round_up(bytes, kGranule), std::max(alignment, kGranule), wish, true).map(pointer);
}

Result<> VirtualMemory::release(void* base) {
  std::lock_guard lock(mutex_);
  const auto found = reservations_.find(number(base));
  if (found == reservations_.end() || !found->second.of_program) {
    return fail(Errc::invalid_argument, "{} is not the start of reserved addresses", fmt::ptr(base));
  }
  if (!found->second.places.empty()) {
    return fail(Errc::invalid_argument, "{}: {} of its parts are still mapped, the first at {}: unmap them first",
                fmt::ptr(base), found->second.places.size(), fmt::ptr(pointer(found->second.places.begin()->first)));
  }
  drop(found);
  return {};
}

void VirtualMemory::release_unused() {
  std::lock_guard lock(mutex_);
  for (auto it = reservations_.begin(); it != reservations_.end();) {
    const auto each = it++;
    if (each->second.of_program && each->second.places.empty()) {
      drop(each);
    }
  }
}

VirtualMemory::Reservations::iterator VirtualMemory::around(uintptr_t address) {
  const auto after = reservations_.upper_bound(address);
  if (after == reservations_.begin()) {
    return reservations_.end();
  }
  const auto found = std::prev(after);
  return address - found->first < found->second.bytes ? found : reservations_.end();
}

bool VirtualMemory::contains(const void* address) const {
  if (!any_.load(std::memory_order_acquire)) {
    return false;
  }
  std::lock_guard lock(mutex_);
  return arena_.contains(address) ||
         const_cast<VirtualMemory*>(this)->around(number(address)) != reservations_.end();  // looks only
}

// ---- What is mapped.

std::pair<Mapping*, uint64_t> VirtualMemory::range_of(Reservations::iterator reservation, uintptr_t address) {
  Mapping& range = reservation->second.own ? reservation->second.own : arena_;
  return {&range, address - number(range.base())};
}

Result<> VirtualMemory::place(Reservations::iterator reservation, uintptr_t at, const std::shared_ptr<MemoryObject>& object,
                              const AccessRights& rights) {
  const uint64_t bytes = round_up(object->bytes(), page_size());
  const auto [range, offset] = range_of(reservation, at);
  const bool remote = object->remote_region() != nullptr;  // then the addresses stay without memory: kernels fault
  if (!remote) {
    CANOPY_TRY(range->place(offset, object->fd(), bytes, object->offset()));
  }
  if (!remote && reservation->second.of_program && rights.most() != Access::read_write) {
    if (auto done = range->protect(offset, bytes, protection_of(rights.most())); !done) {
      (void)range->vacate(offset, bytes);
      return done;
    }
  }
  space_.add({.base = static_cast<std::byte*>(pointer(at)),
              .bytes = object->bytes(),
              .kind = object->device() < 0 ? MemoryKind::pinned_host : MemoryKind::device,
              .device = object->device(),
              .pages = object->pages(),
              .mapped = reservation->second.of_program,
              .lost = object->lost(),  // later mark_lost() says so: it waits for our mutex
              .remote = remote,
              .rights = rights});
  places_of_.emplace(object.get(), at);
  const Access pages = reservation->second.of_program ? rights.most() : Access::read_write;
  reservation->second.places.emplace(at, Place{object, bytes, rights, pages, ++places_made_});
  return {};
}

Result<std::shared_ptr<MemoryObject>> VirtualMemory::vacate(Reservations::iterator reservation, uintptr_t at) {
  const auto found = reservation->second.places.find(at);
  space_.remove(pointer(at));
  const auto [range, offset] = range_of(reservation, at);
  CANOPY_TRY(range->vacate(offset, found->second.bytes));
  std::shared_ptr<MemoryObject> object = std::move(found->second.object);
  reservation->second.places.erase(found);
  const auto [first, last] = places_of_.equal_range(object.get());
  places_of_.erase(std::find_if(first, last, [&](const auto& each) { return each.second == at; }));
  return object;
}

Result<> VirtualMemory::map(void* where, const std::shared_ptr<MemoryObject>& object, const AccessRights& rights) {
  const uintptr_t at = number(where);
  std::lock_guard lock(mutex_);
  const auto reservation = around(at);
  if (reservation == reservations_.end() || !reservation->second.of_program ||
      object->bytes() > reservation->second.bytes - (at - reservation->first)) {
    return fail(Errc::invalid_argument, "{} bytes at {} do not lie in one range of reserved addresses", object->bytes(),
                fmt::ptr(where));
  }
  if (at % kGranule != 0) {
    return fail(Errc::misaligned, "{} is not on a boundary of {} bytes", fmt::ptr(where), kGranule);
  }
  auto& places = reservation->second.places;
  const auto after = places.lower_bound(at);
  const auto in_the_way =
      after != places.end() && after->first - at < object->bytes() ? after
      : after != places.begin() && at - std::prev(after)->first < std::prev(after)->second.bytes ? std::prev(after)
                                                                                                  : places.end();
  if (in_the_way != places.end()) {
    return fail(Errc::invalid_argument, "{} bytes at {} are in part mapped already, from {} on", object->bytes(),
                fmt::ptr(where), fmt::ptr(pointer(in_the_way->first)));
  }
  return place(reservation, at, object, rights);
}

Result<std::shared_ptr<MemoryObject>> VirtualMemory::unmap(void* where, FreeNote& note) {
  std::lock_guard lock(mutex_);
  const auto reservation = around(number(where));
  if (reservation == reservations_.end() || !reservation->second.of_program ||
      !reservation->second.places.contains(number(where))) {
    return fail(Errc::invalid_argument, "{} is not the start of mapped memory", fmt::ptr(where));
  }
  auto object = vacate(reservation, number(where));
  note.over();
  return object;
}

std::optional<VirtualMemory::Mapped> VirtualMemory::find(const void* address) const {
  std::lock_guard lock(mutex_);
  const auto reservation = const_cast<VirtualMemory*>(this)->around(number(address));  // looks only
  if (reservation == reservations_.end() || !reservation->second.of_program) {
    return std::nullopt;
  }
  const auto& places = reservation->second.places;
  const auto after = places.upper_bound(number(address));
  if (after == places.begin()) {
    return std::nullopt;
  }
  const auto& [at, place] = *std::prev(after);
  if (number(address) - at >= place.bytes) {
    return std::nullopt;
  }
  return Mapped{static_cast<std::byte*>(pointer(at)), place.bytes, place.object, place.rights};
}

VirtualMemory::Place* VirtualMemory::place_of(const Mapped& mapped) {
  const auto reservation = around(number(mapped.base));
  if (reservation == reservations_.end()) {
    return nullptr;
  }
  const auto found = reservation->second.places.find(number(mapped.base));
  return found != reservation->second.places.end() && found->second.object == mapped.object ? &found->second : nullptr;
}

Result<> VirtualMemory::protect(uintptr_t at, Place& place, Access access) {
  if (place.object->remote_region() == nullptr) {
    const auto [range, offset] = range_of(around(at), at);
    CANOPY_TRY(range->protect(offset, place.bytes, protection_of(access)));
  }
  place.pages = access;
  return {};
}

Result<> VirtualMemory::change_rights(const Mapped& mapped, std::span<const Grant> grants, FunctionRef<void(bool)> told) {
  const uintptr_t at = number(mapped.base);
  std::unique_lock lock(mutex_);
  Place* place = place_of(mapped);
  if (place == nullptr) {
    return fail(Errc::stale_handle, "{} was unmapped meanwhile", fmt::ptr(mapped.base));
  }
  AccessRights rights = place->rights;
  for (const Grant& grant : grants) {
    rights.grant(grant.device, grant.access);
  }
  const Access most = rights.most();
  const bool less = most < place->pages;
  if (most > place->pages) {
    CANOPY_TRY(protect(at, *place, most));
  }
  place->rights = rights;
  space_.set_rights(mapped.base, rights);
  const uint64_t number = place->number;
  place->lowering += less ? 1 : 0;
  lock.unlock();
  told(less);
  if (!less) {
    return {};
  }
  lock.lock();
  place = place_of(mapped);
  // Whoever lowers last: copies with more rights than there are now began before one of those who lower was told.
  if (place == nullptr || place->number != number || --place->lowering != 0 || place->rights.most() >= place->pages) {
    return {};
  }
  return protect(at, *place, place->rights.most());
}

// ---- Imports by key.

Result<void*> VirtualMemory::map_import(const std::shared_ptr<MemoryObject>& object) {
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(const uintptr_t at, reserve_locked(round_up(object->bytes(), kGranule), kGranule, nullptr, false));
  const auto reservation = reservations_.find(at);
  if (auto placed = place(reservation, at, object, {}); !placed) {
    drop(reservation);
    return tl::unexpected(placed.error());
  }
  return pointer(at);
}

std::shared_ptr<MemoryObject> VirtualMemory::unmap_import(void* base, FreeNote& note) {
  std::lock_guard lock(mutex_);
  const auto reservation = reservations_.find(number(base));
  CHECK(reservation != reservations_.end(), "unmap_import() once, what map_import() gave");
  auto object = vacate(reservation, number(base));
  if (!object) {
    return nullptr;  // the addresses stay taken: what lies there could not be taken away
  }
  drop(reservation);
  note.over();
  return std::move(*object);
}

void VirtualMemory::mark_lost(const MemoryObject& object) {
  std::lock_guard lock(mutex_);
  const auto [first, last] = places_of_.equal_range(&object);
  for (auto each = first; each != last; ++each) {
    space_.set_lost(pointer(each->second));
  }
}

std::vector<MemorySpan> VirtualMemory::mapped_of(int user) const {
  std::vector<MemorySpan> spans;
  std::lock_guard lock(mutex_);
  for (const auto& [base, reservation] : reservations_) {
    for (const auto& [at, place] : reservation.places) {
      if (reservation.of_program && place.object->user() == user) {
        spans.push_back({pointer(at), place.bytes});
      }
    }
  }
  return spans;
}

std::vector<std::shared_ptr<MemoryObject>> VirtualMemory::unmap_all_of(int user, FreeNote& note) {
  std::vector<std::shared_ptr<MemoryObject>> objects;
  std::lock_guard lock(mutex_);
  for (auto reservation = reservations_.begin(); reservation != reservations_.end(); ++reservation) {
    auto& places = reservation->second.places;
    for (auto it = places.begin(); reservation->second.of_program && it != places.end();) {
      const auto [at, place] = *it++;
      if (place.object->user() == user) {
        if (auto object = vacate(reservation, at)) {
          objects.push_back(std::move(*object));
        }
      }
    }
  }
  note.over();
  return objects;
}

}  // namespace canopy
