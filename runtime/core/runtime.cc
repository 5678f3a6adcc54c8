#include "runtime/core/runtime.h"

#include "runtime/core/shared_event.h"

#include "runtime/core/call_scope.h"
#include "runtime/core/callback_scope.h"
#include "runtime/base/log.h"
#include "runtime/core/mapped_memory.h"
#include "runtime/device/fault.h"
#include "runtime/device/scheduler.h"

#include "acl/rt/event.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

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

Runtime::Runtime() : program_(Module::of_program()) {
  set_fault_sink(&exceptions_);
  set_address_text(&text_of_address);
  static const pid_t owner = ::getpid();
  std::atexit([] {
    if (::getpid() == owner) {  // a child of fork has no thread to end
      instance().exceptions_.stop();
    }
  });
}

// ---- Devices and contexts.

Result<Device*> Runtime::open_device(int device) {
  CANOPY_ASSIGN(Driver * current, driver());
  const bool opens = current->find_device(device) == nullptr;
  if (opens) {
    CANOPY_TRY(device_news_.begin(current->reports(), device));
  }
  CANOPY_ASSIGN(Device * opened, current->open_device(device));
  if (opens) {
    device_news_.opened();
  }
  return opened;
}

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
  if (contexts_of_device_[static_cast<size_t>(device.id())]++ == 0) {
    device.cores().overflow().status.store(0, std::memory_order_relaxed);  // of an earlier life
  }
  return handle;
}

void Runtime::release_context(void* handle, std::unique_lock<std::mutex>& lock, CallbackFailure* failure) {
  if (const Context* context = contexts_.find(handle)) {
    const std::vector<void*> streams = context->streams();
    lock.unlock();  // callbacks may call anything, and the streams are to be alive for them
    for (void* stream : streams) {
      stream_callbacks_.call(failure, stream, ACL_RT_STREAM_STATE_DESTROY_PRE);
    }
    lock.lock();
  }
  // First dead to all look-ups, then drained and freed.
  std::unique_ptr<Context> owner = contexts_.remove(handle);
  if (owner == nullptr) {
    return;
  }
  labels_.close_context(handle);
  give_back_with_last_context(owner->device_id());
  lock.unlock();
  if (ModelHost* models = model_host()) {
    models->close_context(handle);
  }
  const std::vector<void*> streams = owner->close();
  for (void* stream : streams) {
    with_stream(stream, [](Stream& found) { found.leave_lost_waits(); });  // all, before one waits for another
  }
  for (void* stream : streams) {
    owner->remove_stream(stream);
    retire_stream(stream, true);
  }
  const int device = owner->device_id();
  keep_for_calls(std::move(owner));
  lock.lock();
  const uint32_t left = --contexts_of_device_[static_cast<size_t>(device)];
  Primary& primary = primaries_[static_cast<size_t>(device)];
  if (left == 1 && primary.context != nullptr && primary.references == 0) {
    release_context(std::exchange(primary.context, nullptr), lock, failure);  // it came with the first explicit one
    return;
  }
  close_unused_device(device);
}

// Others may wait until we have given back what they share, while we wait for them.
void Runtime::give_back_with_last_context(int device) {
  const Primary& primary = primaries_[static_cast<size_t>(device)];
  const uint32_t others = contexts_of_device_[static_cast<size_t>(device)] - 1;
  const bool others_go_too = others == 1 && primary.context != nullptr && primary.references == 0;
  if (others == 0 || others_go_too) {
    notifies_.close_imports(device);
  }
}

// REQUIRES: mutex_ held.
Result<void*> Runtime::make_primary(Device& device) {
  Primary& primary = primaries_[static_cast<size_t>(device.id())];
  if (primary.context != nullptr) {
    return nullptr;
  }
  CANOPY_ASSIGN(primary.context, make_context(device, true));
  return primary.context;
}

// REQUIRES: mutex_ held.
void Runtime::close_unused_device(int device) {
  auto current = driver();
  if (!current || contexts_of_device_[static_cast<size_t>(device)] != 0) {
    return;
  }
  for (void* handle : events_.handles()) {
    {
      std::lock_guard lock(holds_mutex_);  // nobody destroys it while we look
      const Event* event = events_.find(handle);
      if (event == nullptr || event->device() != device) {
        continue;
      }
    }
    end_event(handle);
  }
  notifies_.close_device(device);
  std::vector<MemorySpan> spans = pools_.memory_spans(device);
  if (Device* open = (*current)->find_device(device)) {
    spans.push_back(open->memory().span());
  }
  const FreeNote note(task_memory_, spans);  // copies of other devices' streams
  pools_.forget_device(device);
  ipc_memory_.close_device(device);
  memory_handles_.close_device(device);
  (*current)->close_device(device);
  peers_.reset(device);
}

Result<> Runtime::set_device(int device) {
  CANOPY_TRY(CallbackScope::refuse_kernel("setting a device"));
  CANOPY_ASSIGN(Driver * current, driver());
  CANOPY_TRY(current->check_device(device));
  device_news_.look();
  CallbackFailure failure;
  device_callbacks_.call(&failure, device, ACL_RT_DEVICE_STATE_SET_PRE);
  CANOPY_TRY(failure.tell("the device was not set"));
  void* const before = t_context_;
  void* created = nullptr;
  {
    std::lock_guard lock(mutex_);
    CANOPY_ASSIGN(Device * opened, open_device(device));
    CANOPY_ASSIGN(created, make_primary(*opened));
    Primary& primary = primaries_[static_cast<size_t>(device)];
    ++primary.references;
    t_context_ = primary.context;
  }
  note_default_stream(created, &failure);
  device_callbacks_.call(&failure, device, ACL_RT_DEVICE_STATE_SET_POST);
  if (failure.any()) [[unlikely]] {
    static_cast<void>(take_back_primary(device, 1));  // of which nothing else is to be told
    t_context_ = before;
  }
  return failure.tell("the device was not set");
}

Result<> Runtime::reset_device(int device) { return release_primary(device, 1); }

Result<> Runtime::reset_device_force(int device) { return release_primary(device, 0); }

Result<> Runtime::release_primary(int device, uint64_t references) {
  CANOPY_TRY(CallbackScope::refuse("resetting a device"));
  return take_back_primary(device, references);
}

Result<> Runtime::take_back_primary(int device, uint64_t references) {
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
  CallbackFailure failure;
  device_callbacks_.call(&failure, device, ACL_RT_DEVICE_STATE_RESET_PRE);
  {
    std::unique_lock lock(mutex_);
    CANOPY_TRY(check_referenced());  // another thread, or a callback, may have been faster
    primary.references -= references == 0 ? primary.references : references;
    if (primary.references == 0) {
      release_context(std::exchange(primary.context, nullptr), lock, &failure);
    }
  }
  device_callbacks_.call(&failure, device, ACL_RT_DEVICE_STATE_RESET_POST);
  return failure.tell("the device was reset all the same");
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
  return primaries_[static_cast<size_t>(device)].references != 0;
}

Result<void*> Runtime::create_context(int device) {
  CANOPY_TRY(CallbackScope::refuse_kernel("making a context"));
  CANOPY_ASSIGN(Driver * current, driver());
  CANOPY_TRY(current->check_device(device));
  device_news_.look();
  CallbackFailure failure;
  void* const before = t_context_;
  void* handle;
  void* primary;
  {
    std::unique_lock lock(mutex_);
    CANOPY_ASSIGN(Device * opened, open_device(device));
    CANOPY_TRY(device_news_.check(device));
    // A device that nobody has set gets a default stream of its own as well; it goes with the device.
    CANOPY_ASSIGN(primary, make_primary(*opened));
    auto made = make_context(*opened, false);
    if (!made) {
      if (primary != nullptr) {
        release_context(std::exchange(primaries_[static_cast<size_t>(device)].context, nullptr), lock, &failure);
      }
      return made;
    }
    handle = *made;
    t_context_ = handle;
  }
  note_default_stream(primary, &failure);
  note_default_stream(handle, &failure);
  if (failure.any()) [[unlikely]] {
    static_cast<void>(end_context(handle));  // of which nothing else is to be told
    t_context_ = before;
    CANOPY_TRY(failure.tell("no context was created"));
  }
  return handle;
}

// Callbacks may call anything: without a lock.
void Runtime::note_default_stream(void* context, CallbackFailure* failure) {
  if (const Context* found = contexts_.find(context)) {
    stream_callbacks_.call(failure, found->default_stream(), ACL_RT_STREAM_STATE_CREATE_POST);
  }
}

Result<> Runtime::destroy_context(void* handle) {
  CANOPY_TRY(CallbackScope::refuse("destroying a context"));
  return end_context(handle);
}

Result<> Runtime::end_context(void* handle) {
  std::unique_lock lock(mutex_);
  Context* context = contexts_.find(handle);
  if (context == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live context", fmt::ptr(handle));
  }
  if (context->primary()) {
    return fail(Errc::invalid_argument, "the primary context of device {} goes with aclrtResetDevice",
                context->device_id());
  }
  if (!context->claim_end()) {
    return fail(Errc::stale_handle, "{} is not a live context any more: another call is destroying it", fmt::ptr(handle));
  }
  CallbackFailure failure;
  release_context(handle, lock, &failure);
  if (t_context_ == handle) {
    t_context_ = nullptr;
  }
  return failure.tell("the context was destroyed all the same");
}

Result<> Runtime::set_current_context(void* handle) {
  CANOPY_TRY(CallbackScope::refuse_kernel("choosing a context"));
  if (contexts_.find(handle) == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live context", fmt::ptr(handle));
  }
  t_context_ = handle;
  return {};
}

Result<void*> Runtime::current_context_handle() {
  return current_context().map([](Context*) { return t_context_; });
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

void Runtime::end_event(void* handle) {
  if (std::unique_ptr<Event> event = events_.remove(handle)) {
    event->end();
    keep_for_calls(std::move(event));
  }
}

Result<void*> Runtime::create_shared_event(uint32_t flags) {
  CANOPY_ASSIGN(Context * context, current_context());
  CANOPY_ASSIGN(Driver * current, driver());
  CANOPY_ASSIGN(auto shared, SharedEvent::create(*current, context->device_id()));
  return keep_shared_event(context->device_id(), flags, std::move(shared));
}

Result<void*> Runtime::open_shared_event(const std::string& handle, uint32_t flags) {
  CANOPY_ASSIGN(Context * context, current_context());
  CANOPY_ASSIGN(Driver * current, driver());
  CANOPY_ASSIGN(auto shared, shared_events_.open(*current, handle));
  const int device = context->device_id();
  // A creator's device that this process does not see is heard of all the same.
  const int creator = current->host_table().local_id(shared->host_device());
  if (creator >= 0 && creator < current->machine().count() && creator != device) {
    if (!PeerAccess::possible(current->machine(), device, creator)) {
      return fail(Errc::not_supported, "device {}: no way to an event of device {}: peers are refused", device, creator);
    }
    CANOPY_TRY(current->reports().check_link(device, creator));
  }
  return keep_shared_event(device, flags, std::move(shared));
}

Result<void*> Runtime::keep_shared_event(int device, uint32_t flags, std::shared_ptr<SharedEvent> shared) {
  void* handle = events_.insert(
      std::make_unique<Event>(device, flags, event_ids_[static_cast<size_t>(device)], std::move(shared)));
  if (handle == nullptr) {
    return fail(Errc::no_event, "device {}: no more events", device);
  }
  return handle;
}

Result<> Runtime::destroy_event(void* handle) {
  std::unique_ptr<Event> ended;
  {
    std::lock_guard lock(holds_mutex_);  // close_unused_device() looks at what is there
    ended = events_.remove(handle);
  }
  if (ended == nullptr) {
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
