#include "runtime/core/ipc_memory.h"

#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"

#include <algorithm>
#include <utility>

namespace canopy {
namespace {

// What a key can name: device memory that aclrtMalloc gave out.
Result<MemoryPool::Backing> exportable(Driver& driver, Runtime& runtime, const void* address, uint64_t bytes) {
  for (int id = 0; id < driver.machine().count(); ++id) {
    Device* device = driver.find_device(id);
    if (device == nullptr || !device->memory().contains(address)) {
      continue;
    }
    const auto backing = device->memory().backing(address);
    if (!backing) {
      return fail(Errc::invalid_argument, "{} lies in no live allocation of device {}", fmt::ptr(address), id);
    }
    const MemoryRange& allocation = backing->allocation;
    if (bytes == 0 || !allocation.contains(address, bytes)) {
      return fail(Errc::invalid_argument,
                  "{} bytes at {} cannot be exported: at least 1, and all in the allocation of {} bytes at {}, are wanted",
                  bytes, fmt::ptr(address), allocation.bytes, fmt::ptr(allocation.base));
    }
    return *backing;
  }
  CANOPY_ASSIGN(const auto range, find_allocation(runtime, address));
  const char* const what = !range                     ? "no memory of a device of this process"
                           : range->mapped            ? "mapped: export its handle with aclrtMemExportToShareableHandle"
                           : range->kind != MemoryKind::device ? "host or managed memory"
                                                               : "imported, or of a stream-ordered pool";
  return fail(Errc::invalid_argument, "{} is {}; a key is for memory of aclrtMalloc", fmt::ptr(address), what);
}

uint64_t bit_of(int device) { return uint64_t{1} << device; }

}  // namespace

// ---- Exports.

Result<std::string> IpcMemory::export_key(const void* address, uint64_t bytes, bool listed_only) {
  CANOPY_TRY(runtime_.current_context());
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  if (reinterpret_cast<uintptr_t>(address) % page_size() != 0) {  // what a file can be mapped from
    return fail(Errc::misaligned, "{} is not on a boundary of {} bytes, from which memory can be exported",
                fmt::ptr(address), page_size());
  }
  CANOPY_ASSIGN(const MemoryPool::Backing backing, exportable(*driver, runtime_, address, bytes));
  const int device = backing.allocation.device;
  const Secret secret = Secret::random();
  any_exports_.store(true, std::memory_order_release);  // pairs with before_free()
  CANOPY_ASSIGN(const uint64_t id, driver->sharing().share(Export{.fd = backing.memory->shared_fd(),
                                                                  .bytes = bytes,
                                                                  .offset = backing.offset,
                                                                  .kind = ObjectKind::memory,
                                                                  .device = driver->host_table().host_id(device),
                                                                  .secret = secret,
                                                                  .listed_only = listed_only,
                                                                  .pids = {},
                                                                  .owner = backing.memory}));
  std::string key = SharedKey{id, secret}.text(ObjectKind::memory);
  std::lock_guard lock(mutex_);
  const auto at = exports_.emplace(key, Exported{backing.allocation.base, id, device}).first;
  live_exports_.emplace(at->second.address, &at->second);
  return key;
}

Result<> IpcMemory::allow(std::string_view key, std::span<const int32_t> pids) {
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  CANOPY_TRY(SharedKey::parse(ObjectKind::memory, key));
  uint64_t id = 0;
  {
    std::lock_guard lock(mutex_);
    const auto found = exports_.find(key);
    if (found == exports_.end()) {
      return fail(Errc::invalid_argument, "'{}' is no key that this process has exported", key);
    }
    id = found->second.id;
  }
  if (id == 0) {
    return fail(Errc::stale_handle, "'{}': its memory has been freed", key);
  }
  return driver->sharing().allow(id, pids);
}

Result<> IpcMemory::check_exported(std::string_view key) {
  CANOPY_TRY(SharedKey::parse(ObjectKind::memory, key));
  std::lock_guard lock(mutex_);
  if (!exports_.contains(key)) {
    return fail(Errc::invalid_argument, "'{}' is no key that this process has exported", key);
  }
  return {};
}

void IpcMemory::forget_address(const Exported& exported) {
  const auto [first, end] = live_exports_.equal_range(exported.address);
  const auto mine = std::find_if(first, end, [&](const auto& each) { return each.second == &exported; });
  if (mine != end) {
    live_exports_.erase(mine);
  }
}

void IpcMemory::before_free(const void* address) {
  // Acquire: who exports and frees does both in order, so that the flag is up by then.
  if (!any_exports_.load(std::memory_order_acquire)) {
    return;
  }
  std::vector<uint64_t> ended;
  {
    std::lock_guard lock(mutex_);
    const auto [first, end] = live_exports_.equal_range(address);
    for (auto at = first; at != end; ++at) {
      ended.push_back(std::exchange(at->second->id, 0));
    }
    live_exports_.erase(first, end);
  }
  if (auto driver = runtime_.driver(); driver && !ended.empty()) {
    for (const uint64_t id : ended) {
      (*driver)->sharing().end(id);
    }
  }
}

// ---- Imports.

// Memory of device `owner`, used from device `user`.
Result<> IpcMemory::enter(Driver& driver, int owner, int user, bool enable_peer_access) {
  CANOPY_TRY(check_link(driver, owner, user));
  return enable_peer_access && owner != user ? runtime_.peers().enable(driver.machine(), user, owner) : Result<>();
}

Result<void*> IpcMemory::import(std::string_view key, bool enable_peer_access) {
  CANOPY_ASSIGN(const int user, runtime_.current_device());
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  CANOPY_ASSIGN(const SharedKey parsed, SharedKey::parse(ObjectKind::memory, key));
  const auto once_more = [&]() -> Imported* {
    const auto found = imports_.find(key);
    return found == imports_.end() ? nullptr : &found->second;
  };
  {
    std::lock_guard lock(mutex_);
    if (Imported* mine = once_more()) {
      // A key that its exporter has closed is still good for who has the memory, one of a dead exporter for nobody.
      if (mine->object->lost()) {
        return fail(Errc::peer_lost, "the process that exported '{}' is gone: close it", key);
      }
      CANOPY_TRY(enter(*driver, mine->object->device(), user, enable_peer_access));
      ++mine->count;
      mine->users |= bit_of(user);
      return mine->address;
    }
  }
  CANOPY_ASSIGN(std::shared_ptr<MemoryObject> object,
                import_memory(runtime_, *driver, parsed, user));
  CANOPY_TRY(driver->check_device(object->device()));
  CANOPY_TRY(enter(*driver, object->device(), user, enable_peer_access));
  CANOPY_ASSIGN(void* address, driver->virtual_memory().map_import(object));
  object->close_file();
  std::unique_lock lock(mutex_);
  if (Imported* others = once_more()) {  // another thread was faster
    ++others->count;
    others->users |= bit_of(user);
    void* const same = others->address;
    lock.unlock();
    object.reset();
    let_go(address);
    return same;
  }
  imports_.emplace(std::string(key), Imported{std::move(object), address, 1, bit_of(user)});
  return address;
}

void IpcMemory::let_go(void* address) {
  if (auto driver = runtime_.driver()) {
    const auto range = (*driver)->find_memory(address);
    FreeNote note(runtime_.task_memory(), MemorySpan{address, range ? range->bytes : 0});
    (*driver)->virtual_memory().unmap_import(address, note);
  }
}

// ---- Both.

Result<> IpcMemory::close(std::string_view key) {
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  CANOPY_TRY(SharedKey::parse(ObjectKind::memory, key));
  std::unique_lock lock(mutex_);
  if (const auto mine = imports_.find(key); mine != imports_.end()) {
    if (--mine->second.count == 0) {
      void* const address = mine->second.address;
      imports_.erase(mine);
      lock.unlock();
      let_go(address);
    }
    return {};
  }
  const auto found = exports_.find(key);
  if (found == exports_.end()) {
    return fail(Errc::invalid_argument, "'{}' is no key that this process has exported or imported, or it was closed", key);
  }
  const uint64_t id = found->second.id;
  forget_address(found->second);
  exports_.erase(found);
  lock.unlock();
  if (id != 0) {
    driver->sharing().end(id);
  }
  return {};
}

void IpcMemory::close_device(int device) {
  std::vector<uint64_t> ended;
  std::vector<void*> unused;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(exports_, [&](const auto& each) {
      const bool goes = each.second.device == device;
      if (goes && each.second.id != 0) {
        ended.push_back(each.second.id);
        forget_address(each.second);
      }
      return goes;
    });
    for (auto it = imports_.begin(); it != imports_.end();) {
      const auto each = it++;
      each->second.users &= ~bit_of(device);
      if (each->second.users == 0) {
        unused.push_back(each->second.address);
        imports_.erase(each);
      }
    }
  }
  for (void* const address : unused) {
    let_go(address);
  }
  for (const uint64_t id : ended) {
    (*runtime_.driver())->sharing().end(id);
  }
}

}  // namespace canopy
