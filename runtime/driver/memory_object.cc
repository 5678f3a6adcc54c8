#include "runtime/driver/memory_object.h"

#include "runtime/driver/host_table.h"

#include <sys/stat.h>

#include <cerrno>

namespace canopy {

// REQUIRES: called once with each step.
void MemoryObject::count_if_orphan(uint32_t step) {
  // acq_rel: who comes second sees what the first one wrote.
  const uint32_t before = steps_.fetch_or(step, std::memory_order_acq_rel);
  if ((before | step) == (kKnown | kOrphan) && device_ >= 0) {
    sharing_->orphans().begin(inode_, device_, file_bytes_);
  }
}

MemoryObject::~MemoryObject() {
  if (import_) {
    import_.reset();  // behind it the callback does not come any more
    if (steps_.load(std::memory_order_acquire) == (kKnown | kOrphan) && device_ >= 0) {
      sharing_->orphans().end(inode_);
    }
  }
  if (const uint64_t id = shared_id()) {
    sharing_->end(id);
  }
}

std::shared_ptr<MemoryObject> MemoryObject::own(PhysicalMemory memory, PageKind pages, int user) {
  std::shared_ptr<MemoryObject> object(new MemoryObject);
  object->bytes_ = memory.bytes();
  object->device_ = memory.device();
  object->user_ = user;
  object->pages_ = pages;
  object->own_ = std::make_shared<PhysicalMemory>(std::move(memory));
  return object;
}

Result<std::shared_ptr<MemoryObject>> MemoryObject::import(Sharing& sharing, const HostTable& table, const SharedKey& key,
                                                           int user, Lost on_lost) {
  std::shared_ptr<MemoryObject> object(new MemoryObject);
  object->sharing_ = &sharing;
  MemoryObject* raw = object.get();  // outlives import_, and with it the callback
  CANOPY_ASSIGN(object->import_, sharing.import(ObjectKind::memory, key, [raw, lost = std::move(on_lost)] {
    raw->lost_.store(true, std::memory_order_release);
    lost(*raw);
    raw->count_if_orphan(kOrphan);
  }));
  const Import& import = object->import_;
  object->bytes_ = import.bytes;
  object->user_ = user;
  object->pages_ = PageKind::huge;
  if (import.host_device >= 0) {
    object->device_ = table.local_id(import.host_device);
    if (object->device_ < 0) {
      return fail(Errc::bad_device,
                  "the memory lies on device {} of the host, which this process does not see (ASCEND_RT_VISIBLE_DEVICES)",
                  import.host_device);
    }
  }
  struct stat file {};
  if (::fstat(import.fd.get(), &file) != 0) {
    return fail_errno(Errc::io, errno, "what was imported cannot be looked at");
  }
  object->inode_ = file.st_ino;
  object->file_bytes_ = static_cast<uint64_t>(file.st_size);  // a part of a file keeps all of it
  object->count_if_orphan(kKnown);
  return object;
}

std::shared_ptr<MemoryObject> MemoryObject::remote(std::unique_ptr<RemoteRegion> region, uint64_t bytes, int user) {
  std::shared_ptr<MemoryObject> object(new MemoryObject);
  object->region_ = std::move(region);
  object->bytes_ = bytes;
  object->device_ = user;
  object->user_ = user;
  object->pages_ = PageKind::huge;
  return object;
}

Result<FabricHandle> MemoryObject::share_fabric(Sharing& sharing, const HostTable& table,
                                                uint32_t host_part, RemoteMemory* remote,
                                                bool listed_only) {
  FabricHandle handle;
  std::lock_guard lock(share_mutex_);
  CANOPY_ASSIGN(handle.id, share_locked(sharing, table, listed_only));
  handle.host = HostIdentity::of(table);
  handle.bytes = bytes_;
  handle.device = device_ < 0 ? -1 : table.host_id(device_);
  handle.part = host_part;
  if (remote != nullptr && !listed_only) {  // numbers of processes mean nothing on another host
    auto exposed = remote->expose(own_, handle);
    if (!exposed) {
      shared_id_.store(0, std::memory_order_release);  // nobody has been told the number: it may be tried again
      sharing.end(handle.id);
      return tl::unexpected(exposed.error());
    }
    exposed_ = std::move(*exposed);
  }
  return handle;
}

Result<uint64_t> MemoryObject::share(Sharing& sharing, const HostTable& table, bool listed_only) {
  std::lock_guard lock(share_mutex_);
  return share_locked(sharing, table, listed_only);
}

Result<uint64_t> MemoryObject::share_locked(Sharing& sharing, const HostTable& table, bool listed_only) {
  if (imported()) {
    return fail(Errc::not_supported, "memory that was imported can be exported by its own process only");
  }
  if (shared_id() != 0) {
    return fail(Errc::invalid_argument, "the memory was exported before, as {:#x}; that is possible once", shared_id());
  }
  CANOPY_ASSIGN(const uint64_t id, sharing.share(Export{.fd = own_->shared_fd(),
                                                        .bytes = bytes_,
                                                        .kind = ObjectKind::memory,
                                                        .device = device_ < 0 ? -1 : table.host_id(device_),
                                                        .secret = {},
                                                        .listed_only = listed_only,
                                                        .pids = {},
                                                        .owner = own_}));
  sharing_ = &sharing;
  shared_id_.store(id, std::memory_order_release);
  return id;
}

}  // namespace canopy
