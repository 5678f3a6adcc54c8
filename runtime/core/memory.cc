#include "runtime/core/memory.h"

#include "runtime/core/runtime.h"

#include <algorithm>
#include <array>

namespace canopy {

Result<void*> allocate_device(Runtime& runtime, const DeviceRequest& request) {
  CANOPY_ASSIGN(Context * context, runtime.current_context());
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  const int id = request.device < 0 ? context->device_id() : request.device;
  CANOPY_TRY(driver->check_device(id));
  Device* device = driver->find_device(id);
  if (device == nullptr) {
    return fail(Errc::bad_device,
                "device {} is not open in this process: call aclrtSetDevice first", id);
  }
  runtime.device_news().look();
  CANOPY_TRY(driver->reports().check_usable(id));
  const uint64_t capacity = device->npu().hbm_bytes;
  if (request.bytes > capacity) {
    driver->reports().out_of_memory(id, request.bytes);
    return fail(Errc::no_memory, "device {}: {} bytes wanted, {} in all", id, request.bytes,
                capacity);
  }
  const uint64_t counted = (request.bytes + 31) / 32 * 32 + (request.padded ? 32 : 0);
  auto memory = device->memory().allocate(counted, request.pages);
  if (!memory && memory.error().code == Errc::no_memory) [[unlikely]] {
    error_text::take_newest();
    driver->reclaim(id);
    memory = device->memory().allocate(counted, request.pages);
    if (!memory) {
      driver->reports().out_of_memory(id, request.bytes);
    }
  }
  return memory;
}

namespace {

// What a free of `address` takes away; nothing where it fails.
MemorySpan span_at(const std::optional<MemoryRange>& found, const void* address) {
  return {address, found && found->base == address ? found->bytes : 0};
}

}  // namespace

Result<> free_device(Runtime& runtime, void* address) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  for (int id = 0; id < driver->machine().count(); ++id) {
    Device* device = driver->find_device(id);
    if (device != nullptr && device->memory().contains(address)) {
      FreeNote note(runtime.task_memory(), span_at(device->memory().find(address), address));
      runtime.ipc_memory().before_free(address);
      return device->memory().free(address, &note);
    }
  }
  if (ManagedMemory* managed = driver->existing_managed_memory();
      managed != nullptr && managed->contains(address)) {
    FreeNote note(runtime.task_memory(), span_at(managed->find(address), address));
    return managed->free(address, note);
  }
  return fail(Errc::invalid_argument, "{} is not device memory that aclrtMalloc gave out",
              fmt::ptr(address));
}

Result<void*> allocate_pinned(Runtime& runtime, size_t bytes) {
  CANOPY_TRY(runtime.current_context());
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_ASSIGN(MemoryPool * pool, driver->host_memory());
  return pool->allocate(bytes);
}

Result<> free_pinned(Runtime& runtime, void* address) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_ASSIGN(MemoryPool * pool, driver->host_memory());
  if (!pool->contains(address)) {
    return fail(Errc::invalid_argument, "{} is not memory that aclrtMallocHost gave out",
                fmt::ptr(address));
  }
  FreeNote note(runtime.task_memory(), span_at(pool->find(address), address));
  return pool->free(address, &note);
}

Result<> free_after_sync(Runtime& runtime, Result<> (*free)(Runtime&, void*), void* address) {
  Result<> synchronized = runtime.synchronize_device(Deadline::user_default());
  if (!synchronized && synchronized.error().code != Errc::kernel_fault) {
    return synchronized;
  }
  CANOPY_TRY(free(runtime, address));
  return synchronized;
}

Result<std::optional<MemoryRange>> find_allocation(Runtime& runtime, const void* address,
                                                   LookUp when) {
  if (runtime.pools().any() && runtime.pools().contains(address)) {
    return when == LookUp::queued ? runtime.pools().find(address)
                                  : runtime.pools().find_chunk(address);
  }
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  return driver->find_memory(address);
}

Result<> check_on_this_host(const MemoryRange& range, const char* what, const void* address) {
  if (range.remote) [[unlikely]] {
    return fail(Errc::not_supported, "{} ({}) is memory of another host: copies (aclrtMemcpy) reach it, and nothing else",
                fmt::ptr(address), what);
  }
  return {};
}

Result<> check_there(const MemoryRange& range, const char* what, const void* address, Access wanted) {
  if (range.lost) [[unlikely]] {
    return fail(Errc::peer_lost, "{} ({}) is memory of another process, which is gone: close it", fmt::ptr(address), what);
  }
  if (range.mapped && range.rights.most() < wanted) [[unlikely]] {
    return fail(Errc::no_permission, "{} ({}) is mapped memory that nobody may {}: aclrtMemSetAccess grants it",
                fmt::ptr(address), what, wanted == Access::read ? "read" : "write");
  }
  return {};
}

Result<> check_link(const Driver& driver, int owner, int user) {
  if (owner < 0 || owner == user) {
    return {};
  }
  const topology::Link& link = driver.machine().link(user, owner);
  if (link.path == topology::PeerPath::refused) {
    return fail(Errc::not_supported, "memory of device {} cannot be used from device {}: the link between them is '{}', and its path refused ({})",
                owner, user, topology::to_string(link.link_class), driver.machine().name());
  }
  return driver.reports().check_link(user, owner);
}

Result<std::shared_ptr<MemoryObject>> import_memory(Runtime& runtime, Driver& driver, const SharedKey& key, int user) {
  return MemoryObject::import(driver.sharing(), driver.host_table(), key, user, [&runtime, &driver](const MemoryObject& lost) {
    driver.virtual_memory().mark_lost(lost);
    runtime.task_memory().note_free();
  });
}

Result<std::optional<MemoryRange>> pointer_range(Runtime& runtime, const void* address) {
  CANOPY_ASSIGN(auto range, find_allocation(runtime, address));
  if (!range && runtime.registrations().find(address)) {
    range = MemoryRange{.kind = MemoryKind::pinned_host, .device = kHostMemory, .registered = true};
  }
  return range;
}

Result<MemoryRange> device_range(Runtime& runtime, const char* what, const void* address,
                                 uint64_t bytes, LookUp when, Access wanted) {
  CANOPY_ASSIGN(const auto range, find_allocation(runtime, address, when));
  if (!range || range->kind == MemoryKind::pinned_host) {
    return fail(Errc::invalid_argument, "{} ({}) is no live device memory", fmt::ptr(address),
                what);
  }
  if (!range->contains(address, bytes)) {
    return fail(Errc::invalid_argument,
                "{} bytes at {} ({}) run past the end of their allocation of {} bytes at {}", bytes,
                fmt::ptr(address), what, range->bytes, fmt::ptr(range->base));
  }
  CANOPY_TRY(check_on_this_host(*range, what, address));
  CANOPY_TRY(check_there(*range, what, address, wanted));
  return *range;
}

Result<size_t> memory_use(Runtime& runtime, int device, MemoryUse* out, size_t limit) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_TRY(driver->check_device(device));
  MemoryPool::Held held;
  if (Device* open = driver->find_device(device)) {
    held = open->memory().held();
  }
  const MemoryPool::Held pooled = runtime.pools().held(device);
  std::array<MemoryUse, kMemoryComponents> all = {
      {{"aclrtMalloc", held.bytes, held.peak}, {"aclrtMemPool", pooled.bytes, pooled.peak}}};
  std::stable_sort(all.begin(), all.end(),
                   [](const MemoryUse& a, const MemoryUse& b) { return a.bytes > b.bytes; });
  const size_t count = std::min(limit, all.size());
  std::copy_n(all.begin(), count, out);
  return count;
}

}  // namespace canopy
