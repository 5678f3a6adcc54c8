#include "runtime/core/stream_pools.h"

#include "runtime/core/runtime.h"

#include <algorithm>

namespace canopy {

static constexpr size_t kManyPending = 64;

// ---- Pools.

Result<void*> StreamPools::create(int device, uint64_t max_bytes) {
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  CANOPY_TRY(driver->check_device(device));
  if (driver->find_device(device) == nullptr) {
    return fail(Errc::bad_device,
                "device {} is not open in this process: call aclrtSetDevice first", device);
  }
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(MemoryPool * memory, memory_of(*driver, device));
  if (!reclaims_) {
    driver->set_reclaimer([this](int full) { reclaim(full); });
    reclaims_ = true;
  }
  const uint64_t all = driver->machine().npu(device).hbm_bytes;
  auto pool = std::make_unique<StreamPool>(*memory, runtime_.task_memory(), device,
                                           max_bytes == 0 ? all : std::min(max_bytes, all));
  void* handle = handles_.insert(std::make_unique<Handle>(Handle{pool.get()}));
  if (handle == nullptr) {
    return fail(Errc::limit, "device {}: no more memory pools", device);
  }
  pools_.push_back(std::move(pool));
  any_.store(true, std::memory_order_relaxed);
  return handle;
}

Result<MemoryPool*> StreamPools::memory_of(Driver& driver, int device) {
  auto& memory = memories_[static_cast<size_t>(device)];
  if (memory == nullptr) {
    CANOPY_ASSIGN(memory, MemoryPool::create(driver.host_table(), device,
                                             driver.machine().npu(device).hbm_bytes));
    has_memory_.store(true, std::memory_order_relaxed);
  }
  return memory.get();
}

Result<StreamPool*> StreamPools::pool_of(void* handle) const {
  if (const Handle* found = handles_.find(handle)) {
    return found->pool;
  }
  return fail(Errc::stale_handle, "{} is not a live memory pool", fmt::ptr(handle));
}

Result<> StreamPools::destroy(void* handle) {
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(StreamPool * pool, pool_of(handle));
  handles_.remove(handle);
  pool->closing = true;
  settle(*pool);
  erase_if_over(*pool);
  return {};
}

void StreamPools::erase_if_over(StreamPool& pool) {
  if (!pool.closing || !pool.empty()) {
    return;
  }
  pool.trim(0);
  pools_.remove_if([&](const auto& one) { return one.get() == &pool; });
  any_.store(!pools_.empty(), std::memory_order_relaxed);
}

Result<> StreamPools::set(void* handle, aclrtMemPoolAttr attribute, uint64_t value) {
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(StreamPool * pool, pool_of(handle));
  const auto set_switch = [&](bool& target) -> Result<> {
    if (value > 1) {
      return fail(Errc::invalid_argument, "memory pool attribute {} is {}, it must be 0 or 1",
                  static_cast<int>(attribute), value);
    }
    target = value == 1;
    return {};
  };
  switch (attribute) {
    case ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES:
      return set_switch(pool->follow_events);
    case ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC:
      return set_switch(pool->opportunistic);
    case ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
      return set_switch(pool->insert_waits);
    case ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD:
      pool->release_threshold = value;
      return {};
    case ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH:
    case ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH:
      if (value != 0) {
        return fail(Errc::invalid_argument,
                    "a high-water mark of a memory pool can only be set to 0, not to {}", value);
      }
      settle(*pool);
      attribute == ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH ? pool->reset_used_high()
                                                      : pool->reset_reserved_high();
      return {};
    case ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT:
    case ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT:
      return fail(Errc::invalid_argument, "attribute {} of a memory pool can only be read",
                  static_cast<int>(attribute));
  }
  return fail(Errc::invalid_argument, "{} is not one of aclrtMemPoolAttr",
              static_cast<int>(attribute));
}

Result<uint64_t> StreamPools::get(void* handle, aclrtMemPoolAttr attribute) {
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(StreamPool * pool, pool_of(handle));
  settle(*pool);
  switch (attribute) {
    case ACL_RT_MEM_POOL_REUSE_FOLLOW_EVENT_DEPENDENCIES:
      return pool->follow_events ? 1 : 0;
    case ACL_RT_MEM_POOL_REUSE_ALLOW_OPPORTUNISTIC:
      return pool->opportunistic ? 1 : 0;
    case ACL_RT_MEM_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
      return pool->insert_waits ? 1 : 0;
    case ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD:
      return pool->release_threshold;
    case ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_CURRENT:
      return pool->reserved();
    case ACL_RT_MEM_POOL_ATTR_RESERVED_MEM_HIGH:
      return pool->reserved_high();
    case ACL_RT_MEM_POOL_ATTR_USED_MEM_CURRENT:
      return pool->used();
    case ACL_RT_MEM_POOL_ATTR_USED_MEM_HIGH:
      return pool->used_high();
  }
  return fail(Errc::invalid_argument, "{} is not one of aclrtMemPoolAttr",
              static_cast<int>(attribute));
}

Result<> StreamPools::trim(void* handle, uint64_t keep) {
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(StreamPool * pool, pool_of(handle));
  settle(*pool);
  pool->trim(keep);
  return {};
}

// ---- Blocks.

Result<std::pair<Stream*, void*>> StreamPools::stream_of(void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime_.stream(handle));
  if (stream->stored()) {
    return fail(Errc::not_supported,
                "stream {}: pools give memory out in the order in which streams run, and a persistent stream does not "
                "run by itself", stream->id());
  }
  return std::pair(stream, handle != nullptr ? handle : stream->context().default_stream());
}

bool StreamPools::reached(const StreamMark& mark) const {
  return mark.stream == nullptr || runtime_.stream_reached(mark.stream, mark.ticket);
}

void StreamPools::settle(StreamPool& pool) {
  pool.settle([&](const StreamMark& mark) { return reached(mark); });
}

std::optional<std::pair<std::byte*, StreamMark>> StreamPools::take(StreamPool& pool, uint64_t bytes,
                                                                   const Stream& stream,
                                                                   void* handle) {
  const auto nothing_to_wait_for = [](std::byte* address) {
    return std::pair(address, StreamMark());
  };
  // In-stream: what the stream freed is its own again at once.
  if (auto own =
          pool.take_pending(bytes, [&](const StreamMark& mark) { return mark.stream == handle; })) {
    return nothing_to_wait_for(own->first);
  }
  if (pool.opportunistic && pool.pending() > kManyPending) {
    settle(pool);  // so that looking through them stays cheap
  } else {
    pool.settle([](const StreamMark& mark) { return mark.stream == nullptr; });
  }
  if (std::byte* free = pool.take_free(bytes)) {
    return nothing_to_wait_for(free);
  }
  if (pool.follow_events) {
    const auto followed = [&](const StreamMark& mark) {
      return stream.follows(mark.stream_id) >= mark.ticket;
    };
    if (auto other = pool.take_pending(bytes, followed)) {
      return nothing_to_wait_for(other->first);
    }
  }
  if (pool.opportunistic) {
    settle(pool);
    if (std::byte* free = pool.take_free(bytes)) {
      return nothing_to_wait_for(free);
    }
  }
  if (pool.insert_waits) {
    return pool.take_pending(bytes, [](const StreamMark&) { return true; });
  }
  return std::nullopt;
}

Result<void*> StreamPools::allocate(void* handle, uint64_t bytes, void* stream_handle) {
  CANOPY_ASSIGN(const auto on, stream_of(stream_handle));
  for (;;) {
    StreamMark wait_for;
    std::byte* address = nullptr;
    uint64_t growths = 0;
    {
      std::lock_guard lock(mutex_);
      CANOPY_ASSIGN(StreamPool * pool, pool_of(handle));
      if (on.first->context().device_id() != pool->device()) {
        return fail(Errc::invalid_argument,
                    "stream {} is of device {}, the memory pool of device {}", on.first->id(),
                    on.first->context().device_id(), pool->device());
      }
      if (bytes > pool->max_bytes()) {
        return fail(Errc::no_memory, "{} bytes wanted of a memory pool of at most {}", bytes,
                    pool->max_bytes());
      }
      if (const auto taken = take(*pool, bytes, *on.first, on.second)) {
        std::tie(address, wait_for) = *taken;
      }
      growths = pool->growths;
    }
    if (address == nullptr) {
      CANOPY_TRY(grow(handle, bytes, growths));
      continue;
    }
    if (wait_for.stream == nullptr) {
      return static_cast<void*>(address);
    }
    auto ordered = runtime_.order_after(*on.first, wait_for.stream);
    if (ordered) {
      return static_cast<void*>(address);
    }
    std::lock_guard lock(mutex_);
    if (auto pool = pool_of(handle)) {
      (*pool)->free(address, wait_for);  // as it was
    }
    return tl::unexpected(std::move(ordered.error()));
  }
}

Result<> StreamPools::grow(void* handle, uint64_t bytes, uint64_t growths) {
  CANOPY_ASSIGN(Driver * driver, runtime_.driver());
  std::lock_guard one_at_a_time(growth_mutex_);
  const uint64_t chunk = StreamPool::chunk_bytes(bytes);
  MemoryPool* memory;
  int device;
  {
    std::lock_guard lock(mutex_);
    CANOPY_ASSIGN(StreamPool * pool, pool_of(handle));
    if (pool->growths != growths) {
      return {};  // by another thread meanwhile: there may be room in its chunk
    }
    if (!pool->reserve(chunk)) {
      settle(*pool);
      pool->trim(0);  // chunks too small for this one make room
      if (!pool->reserve(chunk)) {
        return fail(
            Errc::no_memory,
            "device {}: {} bytes wanted of a memory pool that has reserved {} of at most {}",
            pool->device(), bytes, pool->reserved(), pool->max_bytes());
      }
    }
    device = pool->device();
    memory = memories_[static_cast<size_t>(device)].get();
  }
  auto base = memory->allocate(chunk, PageKind::huge);
  if (!base && base.error().code == Errc::no_memory) {
    error_text::take_newest();
    driver->reclaim(device);
    base = memory->allocate(chunk, PageKind::huge);
    if (!base) {
      driver->reports().out_of_memory(device, bytes);
    }
  }
  std::lock_guard lock(mutex_);
  const auto pool = pool_of(handle);
  if (!pool) {  // destroyed meanwhile
    if (base) {
      (void)memory->free(*base);
    }
    return tl::unexpected(pool.error());
  }
  if (!base) {
    (*pool)->cancel_reservation(chunk);
    return tl::unexpected(base.error());
  }
  (*pool)->add_chunk(static_cast<std::byte*>(*base), chunk);
  ++(*pool)->growths;
  return {};
}

Result<> StreamPools::free(void* address, void* stream_handle) {
  CANOPY_ASSIGN(const auto on, stream_of(stream_handle));
  Stream& stream = *on.first;
  stream.note_followers();
  std::lock_guard lock(mutex_);
  const StreamMark mark = {on.second, stream.id(), stream.submitted()};
  for (const auto& pool : pools_) {
    if (pool->device() == stream.context().device_id() &&
        pool->free(static_cast<std::byte*>(address), mark)) {
      if (pool->closing) {
        settle(*pool);
        erase_if_over(*pool);
      }
      return {};
    }
  }
  return fail(Errc::invalid_argument,
              "{} is not the start of a live block of a memory pool of device {}",
              fmt::ptr(address), stream.context().device_id());
}

// ---- For the rest of the runtime.

void StreamPools::after_synchronize(int device) {
  std::lock_guard lock(mutex_);
  for (auto it = pools_.begin(); it != pools_.end();) {
    StreamPool& pool = **it++;  // it may go
    if (pool.device() == device) {
      settle(pool);
      pool.trim(pool.release_threshold);
      erase_if_over(pool);
    }
  }
}

void StreamPools::reclaim(int device) {
  std::lock_guard lock(mutex_);
  for (const auto& pool : pools_) {
    if (pool->device() == device) {
      settle(*pool);
      pool->trim(0);
    }
  }
}

void StreamPools::forget_stream(void* stream) {
  std::lock_guard lock(mutex_);
  for (auto it = pools_.begin(); it != pools_.end();) {
    StreamPool& pool = **it++;  // it may go
    pool.forget_stream(stream);
    if (pool.closing) {
      settle(pool);
      erase_if_over(pool);
    }
  }
}

void StreamPools::forget_device(int device) {
  std::lock_guard lock(mutex_);
  for (void* handle : handles_.handles()) {
    if (handles_.find(handle)->pool->device() == device) {
      handles_.remove(handle);
    }
  }
  pools_.remove_if([&](const auto& pool) { return pool->device() == device; });
  if (auto& memory = memories_[static_cast<size_t>(device)]) {
    memory->release_all();
  }
  any_.store(!pools_.empty(), std::memory_order_relaxed);
}

std::vector<MemorySpan> StreamPools::memory_spans(int device) const {
  std::lock_guard lock(mutex_);
  const auto& memory = memories_[static_cast<size_t>(device)];
  return memory != nullptr ? std::vector{memory->span()} : std::vector<MemorySpan>();
}

bool StreamPools::contains(const void* address) const {
  // Relaxed: who asks about an address of a pool has got it from there.
  if (!has_memory_.load(std::memory_order_relaxed)) {
    return false;
  }
  std::lock_guard lock(mutex_);
  return std::any_of(memories_.begin(), memories_.end(), [&](const auto& memory) {
    return memory != nullptr && memory->contains(address);
  });
}

std::optional<MemoryRange> StreamPools::find(const void* address) const {
  std::lock_guard lock(mutex_);
  for (const auto& pool : pools_) {
    if (const auto block = pool->find(static_cast<const std::byte*>(address))) {
      return MemoryRange{.base = block->first,
                         .bytes = block->second,
                         .device = pool->device(),
                         .pages = PageKind::huge};
    }
  }
  return std::nullopt;
}

std::optional<MemoryRange> StreamPools::find_chunk(const void* address) const {
  std::lock_guard lock(mutex_);
  for (const auto& memory : memories_) {
    if (memory != nullptr && memory->contains(address)) {
      return memory->find(address);
    }
  }
  return std::nullopt;
}

MemoryPool::Held StreamPools::held(int device) const {
  std::lock_guard lock(mutex_);
  const auto& memory = memories_[static_cast<size_t>(device)];
  return memory == nullptr ? MemoryPool::Held() : memory->held();
}

}  // namespace canopy
