#include "runtime/driver/sync_pages.h"

#include "runtime/base/cache_line.h"

namespace canopy {

struct SyncPage::File {
  std::shared_ptr<const UniqueFd> fd;
  Mapping map;
};

SyncPage::~SyncPage() {
  std::lock_guard lock(pages_.mutex_);
  pages_.free_.push_back({std::move(file_), offset_});
}

std::byte* SyncPage::base() const { return file_->map.base() + offset_; }

const std::shared_ptr<const UniqueFd>& SyncPage::fd() const { return file_->fd; }

Result<std::shared_ptr<SyncPage>> SyncPages::take() {
  std::lock_guard lock(mutex_);
  if (free_.empty()) {
    CANOPY_ASSIGN(UniqueFd fd, sealed_memfd("canopy-sync", kFileBytes));
    CANOPY_ASSIGN(Mapping map, Mapping::shared(fd, kFileBytes));
    auto file = std::make_shared<SyncPage::File>();
    file->fd = std::make_shared<const UniqueFd>(std::move(fd));
    file->map = std::move(map);
    for (uint64_t offset = kFileBytes; offset != 0; offset -= page_bytes()) {
      free_.push_back({file, offset - page_bytes()});
    }
  }
  Free last = std::move(free_.back());
  free_.pop_back();
  // Atomically: an executor may still look at a word of who had the page before (PeerNews).
  auto* words = reinterpret_cast<uint32_t*>(last.file->map.base() + last.offset);
  for (uint64_t i = 0; i < page_bytes() / sizeof *words; ++i) {
    store_relaxed(&words[i], 0);
  }
  return std::shared_ptr<SyncPage>(new SyncPage(*this, std::move(last.file), last.offset));
}

}  // namespace canopy
