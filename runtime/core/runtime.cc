#include "runtime/core/runtime.h"

#include "runtime/base/log.h"
#include "runtime/device/scheduler.h"

#include "acl/rt/event.h"

#include <algorithm>

namespace canopy {

namespace {
std::atomic<bool> g_exists{false};
}

Runtime& Runtime::instance() {
  // Leaked: user threads and executors may be inside while static destructors run.
  static Runtime* runtime = [] {
    g_exists.store(true, std::memory_order_relaxed);
    return new Runtime;
  }();
  return *runtime;
}

bool Runtime::exists() { return g_exists.load(std::memory_order_relaxed); }

Runtime::Runtime() : program_(Module::of_program()) {}

// ---- Devices and contexts.

// REQUIRES: mutex_ held.
Result<void*> Runtime::make_context(Device& device, bool primary) {
  CANOPY_ASSIGN(Driver * current, driver());
  auto context = std::make_unique<Context>(device, current->scheduler(), primary);
  Context* raw = context.get();
  void* handle = contexts_.insert(std::move(context));
  if (handle == nullptr) {
    return fail(Errc::limit, "device {}: no more contexts", device.id());
  }
  auto stream = make_stream(*raw, 0, 0, true);
  if (!stream) {
    contexts_.remove(handle);
    return tl::unexpected(stream.error());
  }
  raw->set_default_stream(*stream, streams_.find(*stream));
  ++contexts_of_device_[static_cast<size_t>(device.id())];
  return handle;
}

void Runtime::release_context(void* handle, std::unique_lock<std::mutex>& lock) {
  // First dead to all look-ups, then drained and freed.
  std::unique_ptr<Context> owner = contexts_.remove(handle);
  if (owner == nullptr) {
    return;
  }
  labels_.close_context(handle);
  lock.unlock();
  for (void* stream : owner->streams()) {
    retire_stream(stream);
  }
  lock.lock();
  const int device = owner->device_id();
  --contexts_of_device_[static_cast<size_t>(device)];
  close_unused_device(device);
}

// REQUIRES: mutex_ held.
void Runtime::close_unused_device(int device) {
  auto current = driver();
  if (!current || contexts_of_device_[static_cast<size_t>(device)] != 0) {
    return;
  }
  for (void* handle : events_.handles()) {
    if (const Event* event = events_.find(handle); event != nullptr && event->device() == device) {
      events_.remove(handle);
    }
  }
  notifies_.close_device(device);
  pools_.forget_device(device);
  (*current)->close_device(device);
  peers_.reset(device);
}

Result<> Runtime::set_device(int device) {
  CANOPY_ASSIGN(Driver * current, driver());
  CANOPY_TRY(current->check_device(device));
  device_callbacks_.call(device, ACL_RT_DEVICE_STATE_SET_PRE);
  {
    std::lock_guard lock(mutex_);
    CANOPY_ASSIGN(Device * opened, current->open_device(device));
    Primary& primary = primaries_[static_cast<size_t>(device)];
    if (primary.context == nullptr) {
      CANOPY_ASSIGN(primary.context, make_context(*opened, true));
    }
    ++primary.references;
    t_context_ = primary.context;
  }
  device_callbacks_.call(device, ACL_RT_DEVICE_STATE_SET_POST);
  return {};
}

Result<> Runtime::reset_device(int device) { return release_primary(device, 1); }

Result<> Runtime::reset_device_force(int device) { return release_primary(device, 0); }

Result<> Runtime::release_primary(int device, uint64_t references) {
  CANOPY_ASSIGN(Driver * current, driver());
  CANOPY_TRY(current->check_device(device));
  Primary& primary = primaries_[static_cast<size_t>(device)];
  const auto check_referenced = [&]() -> Result<> {
    if (primary.references == 0) {
      return fail(Errc::not_ready, "device {}: reset without a reference: aclrtSetDevice was not called, or as many "
                  "resets were", device);
    }
    return {};
  };
  {
    std::lock_guard lock(mutex_);
    CANOPY_TRY(check_referenced());  // nobody is told of a reset that cannot be
  }
  device_callbacks_.call(device, ACL_RT_DEVICE_STATE_RESET_PRE);
  {
    std::unique_lock lock(mutex_);
    CANOPY_TRY(check_referenced());  // another thread, or a callback, may have been faster
    primary.references -= references == 0 ? primary.references : references;
    if (primary.references == 0) {
      release_context(std::exchange(primary.context, nullptr), lock);
    }
  }
  device_callbacks_.call(device, ACL_RT_DEVICE_STATE_RESET_POST);
  return {};
}

// REQUIRES: mutex_ held.
std::vector<int> Runtime::devices_with_references() const {
  std::vector<int> devices;
  for (int device = 0; device < kMaxDevices; ++device) {
    if (primaries_[static_cast<size_t>(device)].references != 0) {
      devices.push_back(device);
    }
  }
  return devices;
}

Result<Context*> Runtime::current_context() {
  if (Context* context = contexts_.find(t_context_)) [[likely]] {
    return context;
  }
  if (t_context_ != nullptr) {
    return fail(Errc::stale_handle, "the current context of this thread has been destroyed");
  }
  if (const int device = default_device_.load(std::memory_order_relaxed); device >= 0) {
    CANOPY_TRY(set_device(device));
    return contexts_.find(t_context_);
  }
  return fail(Errc::no_context, "this thread has no current context: call aclrtSetDevice or aclrtSetCurrentContext");
}

Result<int> Runtime::current_device() {
  return current_context().map([](Context* context) { return context->device_id(); });
}

Result<bool> Runtime::primary_active(int device) {
  CANOPY_ASSIGN(Driver * current, driver());
  CANOPY_TRY(current->check_device(device));
  std::lock_guard lock(mutex_);
  return primaries_[static_cast<size_t>(device)].context != nullptr;
}

Result<void*> Runtime::create_context(int device) {
  CANOPY_ASSIGN(Driver * current, driver());
  CANOPY_TRY(current->check_device(device));
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(Device * opened, current->open_device(device));
  CANOPY_ASSIGN(void* handle, make_context(*opened, false));
  t_context_ = handle;
  return handle;
}

Result<> Runtime::destroy_context(void* handle) {
  std::unique_lock lock(mutex_);
  Context* context = contexts_.find(handle);
  if (context == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live context", fmt::ptr(handle));
  }
  if (context->primary()) {
    return fail(Errc::invalid_argument, "the primary context of device {} goes with aclrtResetDevice",
                context->device_id());
  }
  release_context(handle, lock);
  if (t_context_ == handle) {
    t_context_ = nullptr;
  }
  return {};
}

Result<> Runtime::set_current_context(void* handle) {
  if (contexts_.find(handle) == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live context", fmt::ptr(handle));
  }
  t_context_ = handle;
  return {};
}

Result<void*> Runtime::current_context_handle() {
  return current_context().map([](Context*) { return t_context_; });
}

// ---- Streams.

Result<void*> Runtime::make_stream(Context& context, uint8_t priority, uint32_t flags, bool is_default) {
  // Relaxed: a number, nothing else.
  const int32_t id = next_stream_id_.fetch_add(1, std::memory_order_relaxed);
  void* handle = streams_.insert(std::make_unique<Stream>(
      context, context.scheduler(), context.device().cores(), id, priority, flags, is_default));
  if (handle == nullptr) {
    return fail(Errc::no_stream, "device {}: no more streams", context.device_id());
  }
  context.add_stream(handle);
  return handle;
}

Result<void*> Runtime::create_stream(uint32_t priority, uint32_t flags) {
  CANOPY_ASSIGN(Context * context, current_context());
  return make_stream(*context, static_cast<uint8_t>(priority), flags, false);
}

Result<> Runtime::destroy_stream(void* handle) {
  CANOPY_ASSIGN(Stream * found, stream(handle));
  if (found->is_default()) {
    return fail(Errc::invalid_argument, "a default stream goes with its context and cannot be destroyed");
  }
  found->context().remove_stream(handle);
  retire_stream(handle);
  return {};
}

Result<> Runtime::set_stream_allocator(void* handle, const StreamAllocator& allocator) {
  CANOPY_TRY(stream(handle));
  stream_allocators_.set(handle, allocator);
  return {};
}

Result<> Runtime::remove_stream_allocator(void* handle) {
  CANOPY_TRY(stream(handle));
  stream_allocators_.remove(handle);
  return {};
}

Result<std::optional<StreamAllocator>> Runtime::stream_allocator(void* handle) {
  CANOPY_TRY(stream(handle));
  return stream_allocators_.get(handle);
}

void Runtime::retire_stream(void* handle) {
  std::unique_ptr<Stream> owner;
  {
    std::lock_guard lock(holds_mutex_);
    owner = streams_.remove(handle);
  }
  stream_allocators_.remove(handle);
  if (owner != nullptr) {
    owner->drain();
    owner->await_holders();
    if (pools_.any()) {
      pools_.forget_stream(handle);
    }
  }
}

void Runtime::drain_all_streams() {
  for (void* handle : streams_.handles()) {
    with_stream(handle, [](Stream& stream) { stream.drain(); });
  }
}

Result<Stream*> Runtime::stream_slow(void* handle) {
  CANOPY_ASSIGN(Context * context, current_context());
  if (handle == nullptr) {
    return context->default_stream_object();
  }
  Stream* found = streams_.find(handle);
  if (found == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live stream", fmt::ptr(handle));
  }
  if (&found->context() != context) {
    return fail(Errc::wrong_context, "stream {} belongs to another context of device {}, the current one is of device {}",
                found->id(), found->context().device_id(), context->device_id());
  }
  return found;
}

Result<> Runtime::synchronize_stream(void* handle, Deadline deadline) {
  CANOPY_ASSIGN(Stream * found, stream(handle));
  auto done = found->synchronize(deadline);
  if (pools_.any()) [[unlikely]] {
    pools_.after_synchronize(found->context().device_id());
  }
  return done;
}

bool Runtime::stream_reached(void* handle, uint64_t ticket) {
  std::lock_guard lock(holds_mutex_);
  const Stream* found = streams_.find(handle);
  return found != nullptr && const_cast<Stream*>(found)->strand().completed() >= ticket;
}

Result<bool> Runtime::order_after(Stream& later, void* earlier) {
  const int device = later.context().device_id();
  Result<bool> ordered = false;
  with_stream(earlier, [&](Stream& stream) {
    Event mark(device, Event::Family::new_style, ACL_EVENT_SYNC, event_ids_[static_cast<size_t>(device)]);
    ordered = mark.record(stream).and_then([&] { return mark.wait(later, 0); }).map([] { return true; });
  });
  return ordered;
}

Result<> Runtime::synchronize_device(Deadline deadline) {
  CANOPY_ASSIGN(Context * context, current_context());
  Result<> first;
  for (void* handle : context->streams()) {
    with_stream(handle, [&](Stream& stream) {
      auto done = stream.synchronize(deadline);
      if (!done && first) {
        first = std::move(done);
      }
    });
  }
  if (pools_.any()) [[unlikely]] {
    pools_.after_synchronize(context->device_id());
  }
  return first;
}

// ---- Events.

Result<void*> Runtime::create_event(Event::Family family, uint32_t flags) {
  CANOPY_ASSIGN(Context * context, current_context());
  const int device = context->device_id();
  void* handle =
      events_.insert(std::make_unique<Event>(device, family, flags, event_ids_[static_cast<size_t>(device)]));
  if (handle == nullptr) {
    return fail(Errc::no_event, "device {}: no more events", context->device_id());
  }
  return handle;
}

Result<> Runtime::destroy_event(void* handle) {
  if (events_.remove(handle) == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live event", fmt::ptr(handle));
  }
  return {};
}

Result<uint32_t> Runtime::events_available() {
  CANOPY_ASSIGN(Context * context, current_context());
  const EventBank& records = context->device().cores().events();
  const uint32_t in_use = records.in_use();
  return std::min(event_ids_[static_cast<size_t>(context->device_id())].available(),
                  records.limit() - std::min(records.limit(), in_use));
}

Result<Event*> Runtime::event(void* handle) {
  if (Event* found = events_.find(handle)) [[likely]] {
    return found;
  }
  return fail(Errc::stale_handle, "{} is not a live event", fmt::ptr(handle));
}

}  // namespace canopy
