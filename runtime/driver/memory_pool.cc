#include "runtime/driver/memory_pool.h"

#include "runtime/base/check.h"

#include <algorithm>
#include <bit>

namespace canopy {
namespace {

// Cell sizes: 64, 128, 192, 256, 384 ... 1 MiB: powers of two and their middles. Every cell starts at a
// multiple of 64, so the middle of 64 and 128 (class 1) is left out.
constexpr uint64_t kSmallestCell = 64;
constexpr uint64_t kLargestCell = kGranule / 2;
constexpr size_t kCellClasses = 2 * (20 - 6) + 1;

uint64_t cell_bytes(size_t cell_class) {
  const uint64_t power = kSmallestCell << (cell_class / 2);
  return cell_class % 2 == 0 ? power : power + power / 2;
}

size_t class_of(uint64_t bytes) {
  const uint64_t size = std::max(bytes, kSmallestCell);
  const int log = std::bit_width(size - 1);  // size <= 2^log
  const size_t even = static_cast<size_t>(log - 6) * 2;
  return even > 2 && size <= cell_bytes(even - 1) ? even - 1 : even;
}

// How much address space the arena of a device takes: fragmentation may spread allocations over
// more than the capacity. Sanitizers shadow address space, so there it is bounded.
uint64_t arena_bytes(uint64_t capacity) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  return std::clamp<uint64_t>(2 * capacity, uint64_t{1} << 30, uint64_t{16} << 30);
#else
  return std::max<uint64_t>(2 * capacity, uint64_t{1} << 30);
#endif
}

}  // namespace

struct MemoryPool::Slab {
  // One word per cell, 0 when it is free:  [ 1 ][ pages: 7 bits ][ bytes as asked for: 24 bits ]
  static constexpr uint32_t kLive = 1u << 31;
  static constexpr uint32_t kBytes = (1u << 24) - 1;
  static uint32_t mark(uint64_t bytes, PageKind pages) {
    return kLive | static_cast<uint32_t>(pages) << 24 | static_cast<uint32_t>(bytes);
  }

  uint64_t offset;
  size_t cell_class;
  std::vector<uint32_t> free_cells;
  std::vector<uint32_t> cells;
};

Result<std::unique_ptr<MemoryPool>> MemoryPool::create(HostTable& table, int device, uint64_t capacity) {
  const uint64_t bytes = (arena_bytes(capacity) + kGranule - 1) / kGranule * kGranule;
  CANOPY_ASSIGN(Mapping arena, Mapping::reserve(bytes, kGranule));
  return std::unique_ptr<MemoryPool>(new MemoryPool(table, device, capacity, std::move(arena)));
}

MemoryPool::MemoryPool(HostTable& table, int device, uint64_t capacity, Mapping arena)
    : table_(table), device_(device), capacity_(capacity), arena_(std::move(arena)),
      granules_(arena_.bytes(), kGranule), usable_(kCellClasses) {}

MemoryPool::~MemoryPool() = default;

Result<uint64_t> MemoryPool::place_granules(uint64_t bytes, PageKind pages) {
  CANOPY_ASSIGN(PhysicalMemory memory, PhysicalMemory::allocate(table_, device_, bytes, capacity_));
  const auto offset = granules_.allocate(memory.bytes(), kGranule);
  if (!offset) {
    return fail(Errc::no_memory,
                "{}: no {} contiguous bytes of address space left (largest free range {})",
                memory_of(device_), memory.bytes(), granules_.largest_free());
  }
  if (auto placed = arena_.place(*offset, memory.fd(), memory.bytes()); !placed) {
    granules_.free(*offset);
    return tl::unexpected(placed.error());
  }
  held_.bytes += memory.bytes();
  held_.peak = std::max(held_.peak, held_.bytes);
  physical_.emplace(*offset, Block{std::make_shared<PhysicalMemory>(std::move(memory)), bytes, pages});
  return *offset;
}

Result<> MemoryPool::drop_granules(uint64_t offset) {
  const auto length = granules_.free(offset);
  CHECK(length, "a placed range must be known to the allocator");
  physical_.erase(offset);
  held_.bytes -= *length;
  return arena_.vacate(offset, *length);
}

Result<void*> MemoryPool::allocate(uint64_t bytes, PageKind pages) {
  bytes = std::max<uint64_t>(bytes, 1);
  std::unique_lock lock(mutex_);
  for (int attempt = 0;; ++attempt) {
    Result<void*> got = nullptr;
    if (bytes <= kLargestCell) {
      got = allocate_cell(bytes, pages);
    } else {
      got = place_granules(bytes, pages).map([&](uint64_t offset) -> void* { return arena_.base() + offset; });
    }
    if (got) {
      ++live_;
      return got;
    }
    if (got.error().code != Errc::no_memory || attempt != 0) {
      return got;
    }
    lock.unlock();
    trim();  // what this pool keeps for later counts as used: give it back first
    lock.lock();
  }
}

Result<void*> MemoryPool::allocate_cell(uint64_t bytes, PageKind pages) {
  const size_t cell_class = class_of(bytes);
  auto& usable = usable_[cell_class];
  if (usable.empty()) {
    CANOPY_ASSIGN(const uint64_t offset, place_granules(kGranule, PageKind::huge));
    auto slab = std::make_unique<Slab>();
    slab->offset = offset;
    slab->cell_class = cell_class;
    const auto cells = static_cast<uint32_t>(kGranule / cell_bytes(cell_class));
    slab->cells.resize(cells, 0);
    for (uint32_t cell = cells; cell-- > 0;) {
      slab->free_cells.push_back(cell);
    }
    usable.push_back(slab.get());
    slabs_.emplace(offset, std::move(slab));
  }
  Slab* slab = usable.back();
  const uint32_t cell = slab->free_cells.back();
  slab->free_cells.pop_back();
  slab->cells[cell] = Slab::mark(bytes, pages);
  if (slab->free_cells.empty()) {
    usable.pop_back();
  }
  return static_cast<void*>(arena_.base() + slab->offset + cell * cell_bytes(cell_class));
}

MemoryPool::Slab* MemoryPool::slab_of(uint64_t offset) const {
  auto it = slabs_.find(offset / kGranule * kGranule);
  return it == slabs_.end() ? nullptr : it->second.get();
}

Result<> MemoryPool::free(void* address, FreeNote* note) {
  std::lock_guard lock(mutex_);
  const Result<> done = free_locked(address);
  if (done && note != nullptr) {
    note->over();
  }
  return done;
}

Result<> MemoryPool::free_locked(void* address) {
  const uint64_t offset = static_cast<uint64_t>(static_cast<std::byte*>(address) - arena_.base());
  if (Slab* slab = slab_of(offset)) {
    const uint64_t size = cell_bytes(slab->cell_class);
    const uint64_t in_slab = offset - slab->offset;
    const auto cell = static_cast<uint32_t>(in_slab / size);
    if (in_slab % size != 0 || cell >= slab->cells.size() || slab->cells[cell] == 0) {
      return fail(Errc::invalid_argument, "{}: {} is not the start of a live allocation",
                  memory_of(device_), fmt::ptr(address));
    }
    slab->cells[cell] = 0;
    auto& usable = usable_[slab->cell_class];
    if (slab->free_cells.empty()) {
      usable.push_back(slab);
    }
    slab->free_cells.push_back(cell);
    --live_;
    if (slab->free_cells.size() == slab->cells.size() && usable.size() > 1) {
      std::erase(usable, slab);
      const uint64_t at = slab->offset;
      slabs_.erase(at);
      return drop_granules(at);
    }
    return {};
  }
  if (!physical_.contains(offset)) {
    return fail(Errc::invalid_argument, "{}: {} is not the start of a live allocation", memory_of(device_),
                fmt::ptr(address));
  }
  --live_;
  return drop_granules(offset);
}

std::optional<MemoryRange> MemoryPool::find(const void* address) const {
  if (!contains(address)) {
    return std::nullopt;
  }
  std::lock_guard lock(mutex_);
  return find_locked(address);
}

std::optional<MemoryPool::Backing> MemoryPool::backing(const void* address) const {
  if (!contains(address)) {
    return std::nullopt;
  }
  std::lock_guard lock(mutex_);
  const auto allocation = find_locked(address);
  if (!allocation) {
    return std::nullopt;
  }
  const uint64_t at = static_cast<uint64_t>(static_cast<const std::byte*>(address) - arena_.base());
  const auto range = granules_.find(at);  // of a cell: its slab
  CHECK(range, "a live allocation must lie in granules");
  return Backing{physical_.at(range->first).memory, at - range->first, *allocation};
}

std::optional<MemoryRange> MemoryPool::find_locked(const void* address) const {
  const uint64_t offset = static_cast<uint64_t>(static_cast<const std::byte*>(address) - arena_.base());
  if (const Slab* slab = slab_of(offset)) {
    const uint64_t size = cell_bytes(slab->cell_class);
    const uint64_t cell = (offset - slab->offset) / size;
    const uint32_t mark = cell < slab->cells.size() ? slab->cells[cell] : 0;
    return range_at(slab->offset + cell * size, mark & Slab::kBytes, static_cast<PageKind>(mark >> 24 & 0x7F), offset);
  }
  const auto range = granules_.find(offset);
  if (!range) {
    return std::nullopt;
  }
  const Block& block = physical_.at(range->first);
  return range_at(range->first, block.bytes, block.pages, offset);
}

// Nothing when `offset` lies behind what was asked for.
std::optional<MemoryRange> MemoryPool::range_at(uint64_t start, uint64_t bytes, PageKind pages, uint64_t offset) const {
  if (offset - start >= bytes) {
    return std::nullopt;
  }
  return MemoryRange{.base = arena_.base() + start, .bytes = bytes, .kind = kind(), .device = device_, .pages = pages};
}

void MemoryPool::trim() {
  std::lock_guard lock(mutex_);
  for (auto& usable : usable_) {
    std::erase_if(usable, [&](Slab* slab) {
      if (slab->free_cells.size() != slab->cells.size()) {
        return false;
      }
      const uint64_t at = slab->offset;
      slabs_.erase(at);
      // A range that cannot be unmapped stays reserved: nothing to do about it here.
      (void)drop_granules(at);
      return true;
    });
  }
}

void MemoryPool::release_all() {
  std::lock_guard lock(mutex_);
  // First out of the address space: whoever still copies there faults, and does not hit a stranger's memory.
  if (!physical_.empty()) {
    (void)arena_.vacate(0, arena_.bytes());
  }
  for (const auto& [offset, block] : physical_) {
    granules_.free(offset);
  }
  physical_.clear();
  slabs_.clear();
  for (auto& usable : usable_) {
    usable.clear();
  }
  live_ = 0;
  held_.bytes = 0;
}

MemoryPool::Held MemoryPool::held() const {
  std::lock_guard lock(mutex_);
  return held_;
}

size_t MemoryPool::allocations() const {
  std::lock_guard lock(mutex_);
  return live_;
}

}  // namespace canopy
