// MemoryObject: physical memory that handles and mappings name: of this process, or one that another process
// shares. It lives as long as somebody holds it; then what it counted for is given back, or its lease ends.
//
// Set up by the factories, read only afterwards, but for lost(): any thread may read.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/address_space.h"
#include "runtime/driver/physical_memory.h"
#include "runtime/driver/sharing.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace canopy {

class MemoryObject {
 public:
  static std::shared_ptr<MemoryObject> own(PhysicalMemory memory, PageKind pages);
  // Takes what another process shares. `on_lost` is called once, on the broker's thread, if that process vanishes
  // while the object lives; it must not let go of the last reference. Errors: Sharing::import(); bad_device: it lies on
  // a device that this process does not see.
  using Lost = std::function<void(const MemoryObject&)>;
  static Result<std::shared_ptr<MemoryObject>> import(Sharing& sharing, const HostTable& table, const SharedKey& key,
                                                      Lost on_lost);
  ~MemoryObject();
  MemoryObject(const MemoryObject&) = delete;

  const UniqueFd& fd() const { return own_ ? own_->fd() : import_.fd; }
  // An object may be a part of its file: `bytes` from `offset` on.
  uint64_t bytes() const { return bytes_; }
  uint64_t offset() const { return import_ ? import_.offset : 0; }
  int device() const { return device_; }  // kHostMemory: the host's
  PageKind pages() const { return pages_; }
  bool imported() const { return own_ == nullptr; }
  // Whether the process that shares it is gone.
  bool lost() const { return lost_.load(std::memory_order_acquire); }
  // Of this process's; null for others'.
  const std::shared_ptr<PhysicalMemory>& physical() const { return own_; }
  // What is needed to map it again; it must not be mapped afterwards.
  void close_file() { import_.fd.reset(); }

 private:
  MemoryObject() = default;

  std::shared_ptr<PhysicalMemory> own_;  // null: import_ holds
  uint64_t bytes_ = 0;
  int device_ = kHostMemory;
  PageKind pages_ = PageKind::normal;
  std::atomic<bool> lost_{false};
  Import import_;  // last: while it ends, its callback may still run
};

}  // namespace canopy
