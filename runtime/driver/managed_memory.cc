#include "runtime/driver/managed_memory.h"

#include "runtime/base/check.h"

#include <sys/mman.h>

#include <utility>

namespace canopy {
namespace {

constexpr uint64_t kTiB = uint64_t{1} << 40;
constexpr uint64_t kArenaBytes = 3 * kTiB;

Result<Mapping> reserve_arena() {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  return Mapping::reserve(uint64_t{16} << 30,
                          ManagedMemory::kPage);  // its shadow takes address space too
#else
  constexpr uintptr_t kDocumentedBase = 0x90000000000;
  if (auto arena = Mapping::reserve_at(kDocumentedBase, kArenaBytes)) {
    return arena;
  }
  error_text::take_newest();
  if (auto arena = Mapping::reserve(kArenaBytes, ManagedMemory::kPage)) {
    return arena;
  }
  error_text::take_newest();
  return Mapping::reserve(uint64_t{64} << 30,
                          ManagedMemory::kPage);  // under a limit of address space
#endif
}

}  // namespace

Result<std::unique_ptr<ManagedMemory>> ManagedMemory::create(HostTable& table) {
  CANOPY_ASSIGN(Mapping arena, reserve_arena());
  return std::unique_ptr<ManagedMemory>(new ManagedMemory(table, std::move(arena)));
}

ManagedMemory::ManagedMemory(HostTable& table, Mapping arena)
    : table_(table), arena_(std::move(arena)), ranges_(arena_.bytes(), kPage) {}

Result<void*> ManagedMemory::allocate(uint64_t bytes) {
  if (bytes > arena_.bytes()) {
    return fail(Errc::no_memory, "{} bytes of managed memory wanted, there is address space for {}",
                bytes, arena_.bytes());
  }
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(PhysicalMemory memory,
                PhysicalMemory::allocate(table_, kHostMemory, bytes, arena_.bytes()));
  const auto offset = ranges_.allocate(memory.bytes(), kPage);
  if (!offset) {
    return fail(Errc::no_memory, "{} bytes of managed memory wanted, the largest free range has {}",
                bytes, ranges_.largest_free());
  }
  if (auto placed = arena_.place(*offset, memory.fd(), memory.bytes()); !placed) {
    ranges_.free(*offset);
    return tl::unexpected(placed.error());
  }
  const uint64_t rounded = memory.bytes();
  allocations_.emplace(
      *offset, Allocation{std::move(memory), rounded, std::vector<ManagedPage>(rounded / kPage)});
  return static_cast<void*>(arena_.base() + *offset);
}

Result<> ManagedMemory::free(void* address, FreeNote& note) {
  std::lock_guard lock(mutex_);
  const auto offset = static_cast<uint64_t>(static_cast<std::byte*>(address) - arena_.base());
  const auto found = allocations_.find(offset);
  if (found == allocations_.end()) {
    return fail(Errc::invalid_argument,
                "{} is not the start of a live allocation of managed memory", fmt::ptr(address));
  }
  const uint64_t bytes = found->second.bytes;
  allocations_.erase(found);
  CHECK(ranges_.free(offset), "a live allocation must be known to the allocator");
  const Result<> done = arena_.vacate(offset, bytes);
  note.over();
  return done;
}

std::optional<MemoryRange> ManagedMemory::find(const void* address) const {
  if (!contains(address)) {
    return std::nullopt;
  }
  std::lock_guard lock(mutex_);
  const auto range =
      ranges_.find(static_cast<uint64_t>(static_cast<const std::byte*>(address) - arena_.base()));
  if (!range) {
    return std::nullopt;
  }
  return MemoryRange{.base = arena_.base() + range->first,
                     .bytes = range->second,
                     .kind = MemoryKind::managed,
                     .device = kHostMemory,
                     .pages = PageKind::huge};
}

Result<> ManagedMemory::with_pages(const void* address, uint64_t bytes,
                                   const std::function<void(std::span<ManagedPage>)>& work) {
  const auto range = find(address);
  if (!range) {
    return fail(Errc::invalid_argument, "{} lies in no live allocation of managed memory",
                fmt::ptr(address));
  }
  if (bytes == 0 || !range->contains(address, bytes)) {
    return fail(Errc::invalid_argument,
                "{} bytes at {} are not all of the managed allocation of {} bytes at {}", bytes,
                fmt::ptr(address), range->bytes, fmt::ptr(range->base));
  }
  std::lock_guard lock(mutex_);
  const auto found = allocations_.find(static_cast<uint64_t>(range->base - arena_.base()));
  if (found == allocations_.end() || found->second.bytes != range->bytes) {
    return fail(Errc::invalid_argument, "{} was freed by another thread", fmt::ptr(address));
  }
  const auto at = static_cast<uint64_t>(static_cast<const std::byte*>(address) - range->base);
  const uint64_t first = at / kPage;
  const uint64_t last = (at + bytes - 1) / kPage;
  work(std::span(found->second.pages).subspan(first, last - first + 1));
  return {};
}

void ManagedMemory::prefetch(const void* address, uint64_t bytes, ManagedLocation to) {
  const auto done = with_pages(address, bytes, [&](std::span<ManagedPage> pages) {
    for (ManagedPage& page : pages) {
      page.prefetched = to;
    }
  });
  if (!done) {
    error_text::take_newest();  // freed after it was queued: nothing is left to move
    return;
  }
#ifdef MADV_POPULATE_WRITE
  // Only a saving of faults to come; a kernel that does not know it faults them in one by one.
  // Without the mutex, for it may take long: on memory that is freed meanwhile it does nothing.
  const auto start = reinterpret_cast<uintptr_t>(address) / kPage * kPage;
  (void)::madvise(reinterpret_cast<void*>(start),
                  reinterpret_cast<uintptr_t>(address) + bytes - start, MADV_POPULATE_WRITE);
#endif
}

void ManagedMemory::release_all() {
  std::lock_guard lock(mutex_);
  for (const auto& [offset, allocation] : allocations_) {
    (void)arena_.vacate(offset, allocation.bytes);  // what cannot be unmapped stays reserved
    ranges_.free(offset);
  }
  allocations_.clear();
}

}  // namespace canopy
