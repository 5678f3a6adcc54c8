// MemoryObject: physical memory that handles and mappings name: of this process, or one that another process
// shares. It lives as long as somebody holds it; then what it counted for is given back, or its lease ends.
//
// Set up by the factories, read only afterwards, but for lost() and share(). Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/address_space.h"
#include "runtime/driver/fabric_handle.h"
#include "runtime/driver/physical_memory.h"
#include "runtime/driver/remote_memory.h"
#include "runtime/driver/sharing.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

namespace canopy {

class MemoryObject {
 public:
  // `user`: the device of this process that it goes with, when that is closed.
  static std::shared_ptr<MemoryObject> own(PhysicalMemory memory, PageKind pages, int user);
  // Takes what another process shares. `on_lost` is called once, on the broker's thread, if that process vanishes
  // while the object lives; it must not let go of the last reference. Errors: Sharing::import(); bad_device: it lies on
  // a device that this process does not see.
  using Lost = std::function<void(const MemoryObject&)>;
  static Result<std::shared_ptr<MemoryObject>> import(Sharing& sharing, const HostTable& table, const SharedKey& key,
                                                      int user, Lost on_lost);
  // What lies on another host: copies reach it, and nothing else.
  static std::shared_ptr<MemoryObject> remote(std::unique_ptr<RemoteRegion> region, uint64_t bytes, int user);
  ~MemoryObject();
  MemoryObject(const MemoryObject&) = delete;

  const UniqueFd& fd() const { return own_ ? own_->fd() : import_.fd; }
  // An object may be a part of its file: `bytes` from `offset` on.
  uint64_t bytes() const { return bytes_; }
  uint64_t offset() const { return import_ ? import_.offset : 0; }
  int device() const { return device_; }  // kHostMemory: the host's
  int user() const { return user_; }
  PageKind pages() const { return pages_; }
  bool imported() const { return own_ == nullptr; }
  // Null: it lies on this host.
  RemoteRegion* remote_region() const { return region_.get(); }
  // Whether the process that shares it is gone.
  bool lost() const { return lost_.load(std::memory_order_acquire); }
  // Hands it out to other processes of the host, once, for as long as it lives. Errors: invalid_argument: the second
  // time; not_supported: it is another process's.
  Result<uint64_t> share(Sharing& sharing, const HostTable& table, bool listed_only);
  // The same with a name that other hosts understand; they reach it if `remote` is there and no list is asked for.
  Result<FabricHandle> share_fabric(Sharing& sharing, const HostTable& table, uint32_t host_part,
                                    RemoteMemory* remote, bool listed_only);
  // The number that share() gave; 0: none.
  uint64_t shared_id() const { return shared_id_.load(std::memory_order_acquire); }
  // What is needed to map it again; it must not be mapped afterwards.
  void close_file() { import_.fd.reset(); }

 private:
  MemoryObject() = default;
  void count_if_orphan(uint32_t step);
  // REQUIRES: share_mutex_ held.
  Result<uint64_t> share_locked(Sharing& sharing, const HostTable& table, bool listed_only);

  std::shared_ptr<PhysicalMemory> own_;  // null: import_ holds
  uint64_t bytes_ = 0;
  int device_ = kHostMemory;
  int user_ = 0;
  PageKind pages_ = PageKind::normal;
  Sharing* sharing_ = nullptr;  // of shared_id_, or of import_
  std::mutex share_mutex_;      // held by share() and share_fabric()
  std::shared_ptr<void> exposed_;  // what keeps it reachable for other hosts
  std::unique_ptr<RemoteRegion> region_;
  std::atomic<uint64_t> shared_id_{0};
  std::atomic<bool> lost_{false};
  // An import counts on its device from when it is known here and its process is gone, whichever comes last.
  enum Step : uint32_t { kKnown = 1, kOrphan = 2 };
  std::atomic<uint32_t> steps_{0};
  uint64_t inode_ = 0;
  uint64_t file_bytes_ = 0;
  Import import_;  // last: while it ends, its callback may still run
};

}  // namespace canopy
