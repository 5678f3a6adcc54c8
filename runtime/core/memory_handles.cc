#include "runtime/core/memory_handles.h"

#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"

#include <algorithm>
#include <utility>

namespace canopy {

namespace {

PhysicalRequest told_of(const MemoryObject& object) {
  return {.bytes = object.bytes(), .device = object.device(), .pages = object.pages()};
}

}  // namespace

uint64_t MemoryHandles::granularity(PageKind pages) { return std::max<uint64_t>(page_bytes(pages), kGranule); }

// ---- Handles.

Result<void*> MemoryHandles::insert(std::shared_ptr<MemoryObject> object, const PhysicalRequest& request) {
  const MemoryObject* raw = object.get();
  auto fresh = std::make_unique<Handle>();
  fresh->object = std::move(object);
  fresh->request = request;
  std::lock_guard lock(mutex_);
  if (const auto live = by_object_.find(raw); live != by_object_.end()) {
    ++handles_.find(live->second)->references;
    return live->second;
  }
  void* handle = handles_.insert(std::move(fresh));
  if (handle == nullptr) {
    return fail(Errc::limit, "no more handles of physical memory: free some");
  }
  by_object_.emplace(raw, handle);
  return handle;
}

Result<MemoryHandles::Handle*> MemoryHandles::find(void* handle) {
  if (Handle* found = handles_.find(handle)) {
    return found;
  }
  return fail(Errc::stale_handle, "{} is no live handle of physical memory: it was freed, or never given out", handle);
}

Result<void*> MemoryHandles::create(const PhysicalRequest& request) {
  CANOPY_ASSIGN(const int here, runtime_.current_device());
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  const uint64_t granule = granularity(request.pages);
  if (request.bytes == 0 || request.bytes % granule != 0) {
    return fail(Errc::invalid_argument, "{} bytes of physical memory: a multiple of {} is wanted", request.bytes, granule);
  }
  PhysicalMemory memory;
  if (request.device >= 0) {
    CANOPY_ASSIGN(memory, driver->allocate_physical(request.device, request.bytes));
  } else {
    CANOPY_ASSIGN(memory, PhysicalMemory::allocate(driver->host_table(), kHostMemory, request.bytes, host_memory_bytes()));
  }
  const int user = request.device >= 0 ? request.device : here;
  return insert(MemoryObject::own(std::move(memory), request.pages, user), request);
}

Result<> MemoryHandles::release(void* handle) {
  std::unique_ptr<Handle> last;  // ends outside of the mutex
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(Handle * found, find(handle));
  if (--found->references == 0) {
    by_object_.erase(found->object.get());
    last = handles_.remove(handle);
  }
  return {};
}

Result<void*> MemoryHandles::retain(const void* address) {
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  auto mapped = driver->virtual_memory().find(address);
  if (!mapped) {
    return fail(Errc::invalid_argument, "nothing is mapped at {} by aclrtMapMem", fmt::ptr(address));
  }
  return insert(mapped->object, told_of(*mapped->object));
}

Result<PhysicalRequest> MemoryHandles::properties(void* handle) {
  std::lock_guard lock(mutex_);
  return find(handle).map([](Handle* found) { return found->request; });
}

Result<std::shared_ptr<MemoryObject>> MemoryHandles::object(void* handle) {
  std::lock_guard lock(mutex_);
  return find(handle).map([](Handle* found) { return found->object; });
}

void MemoryHandles::close_device(int device) {
  auto driver = runtime_.driver();
  if (!driver) {
    return;
  }
  const std::vector<MemorySpan> spans = (*driver)->virtual_memory().mapped_of(device);
  FreeNote note(runtime_.task_memory(), spans);
  const auto unmapped = (*driver)->virtual_memory().unmap_all_of(device, note);
  std::vector<std::unique_ptr<Handle>> dead;  // ends outside of the mutex
  std::lock_guard lock(mutex_);
  for (void* handle : handles_.handles()) {
    if (const Handle* found = handles_.find(handle); found->object->user() == device) {
      by_object_.erase(found->object.get());
      dead.push_back(handles_.remove(handle));
    }
  }
  forget_expired();
}

void MemoryHandles::forget_expired() {
  std::erase_if(shared_, [](const auto& each) { return each.second.expired(); });
  shared_after_sweep_ = shared_.size();
}

// Nobody says when an object ends that others may hold: looked for when as many again have come.
void MemoryHandles::note_shared(uint64_t id, const std::shared_ptr<MemoryObject>& object) {
  constexpr size_t kFew = 64;
  if (shared_.size() >= 2 * shared_after_sweep_ + kFew) {
    forget_expired();
  }
  shared_.emplace(id, object);
}

// ---- In other processes.

Result<uint64_t> MemoryHandles::share(void* handle, bool listed_only) {
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  CANOPY_ASSIGN(const std::shared_ptr<MemoryObject> shared, object(handle));
  CANOPY_ASSIGN(const uint64_t id, shared->share(driver->sharing(), driver->host_table(), listed_only));
  std::lock_guard lock(mutex_);
  note_shared(id, shared);
  return id;
}

Result<> MemoryHandles::allow(uint64_t id, std::span<const int32_t> pids) {
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  std::shared_ptr<MemoryObject> kept;
  {
    std::lock_guard lock(mutex_);
    const auto found = shared_.find(id);
    if (found == shared_.end()) {
      return fail(Errc::invalid_argument, "{:#x} is no handle that this process has exported", id);
    }
    kept = found->second.lock();
    if (kept == nullptr) {
      shared_.erase(found);
      return fail(Errc::stale_handle, "{:#x}: its memory has been freed", id);
    }
  }
  return driver->sharing().allow(id, pids);
}

Result<void*> MemoryHandles::import(uint64_t id, int user) {
  CANOPY_TRY(runtime_.current_context());
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  CANOPY_TRY(driver->check_device(user));
  CANOPY_ASSIGN(std::shared_ptr<MemoryObject> object, import_memory(runtime_, *driver, {.id = id, .secret = {}}, user));
  CANOPY_TRY(check_link(*driver, object->device(), user));
  const PhysicalRequest request = told_of(*object);
  return insert(std::move(object), request);
}

Result<FabricHandle> MemoryHandles::share_fabric(void* handle, bool listed_only) {
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  CANOPY_ASSIGN(const std::shared_ptr<MemoryObject> shared, object(handle));
  CANOPY_ASSIGN(const FabricHandle fabric,
                shared->share_fabric(driver->sharing(), driver->host_table(), driver->host_part(),
                                     driver->remote_memory(), listed_only));
  std::lock_guard lock(mutex_);
  note_shared(fabric.id, shared);
  return fabric;
}

Result<void*> MemoryHandles::import_fabric(const FabricHandle& fabric, int user) {
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  if (fabric.part == driver->host_part() && fabric.host == HostIdentity::of(driver->host_table())) {
    return import(fabric.id, user);
  }
  RemoteMemory* remote = driver->remote_memory();
  if (remote == nullptr) {
    return fail(Errc::not_supported,
                "{:#x} is memory of another host (or of a container without this one's /dev/shm), and nothing in this process "
                "moves bytes between hosts: initialise SHMEM (aclshmem) first",
                fabric.id);
  }
  if (fabric.where == decltype(fabric.where){}) {
    return fail(Errc::not_supported,
                "{:#x} is memory of another host, which its process exported for that host only: with a list of processes, or "
                "before SHMEM was initialised",
                fabric.id);
  }
  CANOPY_ASSIGN(std::unique_ptr<RemoteRegion> region, remote->open(fabric));
  auto object = MemoryObject::remote(std::move(region), fabric.bytes, user);
  const PhysicalRequest request = told_of(*object);
  return insert(std::move(object), request);
}

}  // namespace canopy
