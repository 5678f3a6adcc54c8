#include "runtime/device/engine_stats.h"

#include "runtime/base/log.h"
#include "runtime/base/mapping.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace canopy {
namespace {

// Where pages are larger than ours nothing can lie over it alone.
bool page_can_be_shared() { return page_size() == sizeof(ObserverPage); }

// Puts the file's first page over the program's. Who raises or lowers the word in another thread at this very moment
// may do so in vain: that is before the first device, when nothing runs that could be observed.
bool share_page(const UniqueFd& fd, ObserverPage* file) {
  file->magic = ObserverPage::kMagic;
  file->version = ObserverPage::kVersion;
  file->entries = EngineStats::kEntries;
  file->observers.store(g_observer_page.observers.load(std::memory_order_relaxed), std::memory_order_relaxed);
  return ::mmap(&g_observer_page, sizeof g_observer_page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd.get(), 0) !=
         MAP_FAILED;
}

}  // namespace

CoreGroups CoreGroups::of(uint32_t cores, uint32_t wanted) {
  // A power of two, at most 64.
  const uint32_t per_group = cores / std::max(wanted, 1u);
  const auto shift = static_cast<uint32_t>(std::min(6, std::max(0, static_cast<int>(std::bit_width(per_group + 1)) - 1)));
  return {cores, shift, (cores + (1u << shift) - 1) >> shift};
}

EngineStats& EngineStats::instance() {
  static auto* stats = new EngineStats;  // leaked: executors may run until the very end
  return *stats;
}

EngineStats::EngineStats() {
  if (!page_can_be_shared()) {
    return;
  }
  auto fd = sealed_memfd("canopy-stats", kFileBytes);
  auto map = fd ? Mapping::shared(*fd, kFileBytes) : Result<Mapping>(tl::unexpected(fd.error()));
  struct stat found {};
  if (!map || ::fstat(fd->get(), &found) != 0 || !share_page(*fd, reinterpret_cast<ObserverPage*>(map->base()))) {
    log(LogLevel::info, "{}; others cannot see how busy this process's devices are", error_text::take_newest());
    return;
  }
  static auto* kept_map = new Mapping(std::move(*map));
  static auto* kept_fd = new UniqueFd(std::move(*fd));
  entries_ = kept_map->base() + sizeof(ObserverPage);
  fd_ = kept_fd->get();
  inode_ = found.st_ino;
}

EngineEntry* EngineStats::take() {
  for (uint32_t i = 0; entries_ != nullptr && i < kEntries; ++i) {
    auto* entry = reinterpret_cast<EngineEntry*>(entries_ + i * EngineEntry::kBytes);
    uint32_t none = 0;
    // Acquire: the last owner has left it; pairs with ~EnginePlace().
    if (entry->in_use.compare_exchange_strong(none, 1, std::memory_order_acquire, std::memory_order_relaxed)) {
      return entry;
    }
  }
  return nullptr;
}

EnginePlace::EnginePlace(uint32_t cube_cores, uint32_t vector_cores, uint32_t aicpu_cores, uint32_t wanted_groups) {
  const CoreGroups cube = CoreGroups::of(cube_cores, wanted_groups);
  const CoreGroups vector = CoreGroups::of(vector_cores, wanted_groups);
  const size_t lines = size_t{cube.groups} + vector.groups + cube.cores + vector.cores;
  entry_ = lines <= EngineEntry::kLines ? EngineStats::instance().take() : nullptr;
  if (entry_ == nullptr) {
    own_ = std::make_unique<Line[]>(sizeof(EngineEntry) / kCacheLine + lines);
    entry_ = new (own_.get()) EngineEntry{};
  } else {
    new (&entry_->aicpu) BusyClock;
    new (&entry_->dma) BusyClock;
    std::memset(static_cast<void*>(entry_ + 1), 0, lines * kCacheLine);
  }
  entry_->cube = cube;
  entry_->vector = vector;
  entry_->aicpu_cores = aicpu_cores;
  show_as(-1);
}

EnginePlace::~EnginePlace() {
  show_as(-1);
  entry_->in_use.store(0, std::memory_order_release);  // pairs with EngineStats::take()
}

}  // namespace canopy
