// SyncPages: pages of this process for notifies and events that other processes use, too.
//
// Each object has a page of its own, so that an importer maps no other; but the pages come from memory files of
// 1 MiB, and who has one of these files could map all of it. (The list of processes keeps mistakes out, not an
// attacker of the same user, who could as well use a debugger.) Thread-safe.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/result.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace canopy {

class SyncPages;

// One page, zeroed when it was taken; given back with the object.
class SyncPage {
 public:
  ~SyncPage();
  SyncPage(const SyncPage&) = delete;
  std::byte* base() const;
  const std::shared_ptr<const UniqueFd>& fd() const;
  uint64_t offset() const { return offset_; }

 private:
  friend class SyncPages;
  struct File;
  SyncPage(SyncPages& pages, std::shared_ptr<File> file, uint64_t offset)
      : pages_(pages), file_(std::move(file)), offset_(offset) {}
  SyncPages& pages_;
  std::shared_ptr<File> file_;
  uint64_t offset_;
};

class SyncPages {
 public:
  // What an object is mapped by: a page of this system, and at least what the objects take.
  static uint64_t page_bytes() { return std::max<uint64_t>(page_size(), 4096); }

  // REQUIRES: this object outlives the page.
  Result<std::shared_ptr<SyncPage>> take();

 private:
  friend class SyncPage;
  static constexpr uint64_t kFileBytes = 1 << 20;  // a multiple of pages of 4 KiB to 64 KiB, and of one of 1 MiB
  struct Free {
    std::shared_ptr<SyncPage::File> file;
    uint64_t offset;
  };
  std::mutex mutex_;  // guards free_
  std::vector<Free> free_;
};

}  // namespace canopy
