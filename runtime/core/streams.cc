// The part of Runtime that knows streams.
#include "runtime/core/runtime.h"

#include "runtime/core/call_scope.h"
#include "runtime/core/callback_scope.h"
#include "runtime/device/scheduler.h"

#include "acl/rt/event.h"

#include <algorithm>

namespace canopy {

Result<void*> Runtime::make_stream(Context& context, uint8_t priority, uint32_t flags,
                                   bool is_default) {
  std::atomic<uint32_t>& used = user_streams_[static_cast<size_t>(context.device_id())];
  if (device_aborting(context.device_id())) {
    return fail(Errc::device_aborted, "device {}: its tasks are being aborted",
                context.device_id());
  }
  // Relaxed: a number, nothing else.
  if (!is_default && used.fetch_add(1, std::memory_order_relaxed) >= kStreamsPerDevice) {
    used.fetch_sub(1, std::memory_order_relaxed);
    return fail(Errc::no_stream, "device {}: all {} streams are in use", context.device_id(),
                kStreamsPerDevice);
  }
  const int32_t id = next_stream_id_.fetch_add(1, std::memory_order_relaxed);
  auto stream = std::make_unique<Stream>(context, context.scheduler(), context.device().cores(), id,
                                         priority, flags, is_default);
  stream->settings().saturates = float_overflow_.device_saturates(context.device_id());
  Stream* const made = stream.get();
  void* handle = streams_.insert(std::move(stream));
  if (handle == nullptr) {
    if (!is_default) {
      used.fetch_sub(1, std::memory_order_relaxed);
    }
    return fail(Errc::no_stream, "device {}: no more streams", context.device_id());
  }
  if (!context.add_stream(handle, made)) {
    streams_.remove(handle);
    if (!is_default) {
      used.fetch_sub(1, std::memory_order_relaxed);
    }
    return fail(Errc::stale_handle, "device {}: the current context of this thread has been destroyed", context.device_id());
  }
  return handle;
}

Result<void*> Runtime::create_stream(uint32_t priority, uint32_t flags) {
  CANOPY_ASSIGN(Context * context, current_context());
  device_news_.look();
  CANOPY_TRY(device_news_.check(context->device_id()));
  CANOPY_ASSIGN(void* handle, make_stream(*context, static_cast<uint8_t>(priority), flags, false));
  CallbackFailure failure;
  stream_callbacks_.call(&failure, handle, ACL_RT_STREAM_STATE_CREATE_POST);
  if (failure.any()) [[unlikely]] {
    static_cast<void>(end_stream(handle, false));  // of which nothing else is to be told
    CANOPY_TRY(failure.tell("no stream was created"));
  }
  return handle;
}

Result<uint32_t> Runtime::streams_available() {
  CANOPY_ASSIGN(Context * context, current_context());
  // Relaxed: others may come and go.
  return kStreamsPerDevice -
         std::min(kStreamsPerDevice, user_streams_[static_cast<size_t>(context->device_id())].load(
                                         std::memory_order_relaxed));
}

Result<> Runtime::destroy_stream(void* handle, bool drop_work) {
  CANOPY_TRY(CallbackScope::refuse("destroying a stream"));
  return end_stream(handle, drop_work);
}

Result<> Runtime::end_stream(void* handle, bool drop_work) {
  CANOPY_ASSIGN(Context * context, current_context());
  Stream* found = nullptr;
  {
    std::lock_guard lock(holds_mutex_);  // of two who destroy it, or one whose callback does, the second finds it taken
    CANOPY_ASSIGN(found, live_stream_of(*context, handle));
    if (found->is_default()) {
      return fail(Errc::invalid_argument, "a default stream goes with its context and cannot be destroyed");
    }
    CANOPY_TRY(found->check_unbound("destroyed"));
    if (!found->claim_end()) {
      return fail(Errc::stale_handle, "{} is not a live stream any more: another call is destroying it", fmt::ptr(handle));
    }
  }
  CallbackFailure failure;
  stream_callbacks_.call(&failure, handle, ACL_RT_STREAM_STATE_DESTROY_PRE);
  if (drop_work && !found->stored()) {
    if (auto aborted = found->abort(AbortReason::stream, Deadline::never()); !aborted) {
      found->forgo_end();
      return aborted;
    }
  }
  found->context().remove_stream(handle);
  retire_stream(handle, false);
  return failure.tell("the stream was destroyed all the same");
}

Result<> Runtime::set_stream_allocator(void* handle, const StreamAllocator& allocator) {
  CANOPY_TRY(live_stream(handle));
  stream_allocators_.set(handle, allocator);
  return {};
}

Result<> Runtime::remove_stream_allocator(void* handle) {
  CANOPY_TRY(live_stream(handle));
  stream_allocators_.remove(handle);
  return {};
}

Result<std::optional<StreamAllocator>> Runtime::stream_allocator(void* handle) {
  CANOPY_TRY(live_stream(handle));
  return stream_allocators_.get(handle);
}

void Runtime::retire_stream(void* handle, bool kept) {
  // Others find it until its work is done: see order_after().
  with_stream(handle, [](Stream& stream) { stream.drain_for_good(); });
  std::unique_ptr<Stream> owner;
  {
    std::lock_guard lock(holds_mutex_);
    owner = streams_.remove(handle);
  }
  stream_allocators_.remove(handle);
  if (owner != nullptr) {
    owner->drain_for_good();
    owner->await_holders();
    owner->drain_for_good();  // what one of them had waited to queue
    callback_threads_.forget_stream(*owner);
    host_function_threads_.forget_stream(*owner);
    owner->strand().scheduler().orders().remove(&owner->strand());
    if (!owner->is_default()) {
      user_streams_[static_cast<size_t>(owner->context().device_id())].fetch_sub(
          1, std::memory_order_relaxed);
    }
    if (pools_.any()) {
      pools_.forget_stream(handle);
    }
    if (kept) {
      keep_for_calls(std::move(owner));
    }
  }
}

void Runtime::drain_all_streams() {
  for (void* handle : streams_.handles()) {
    with_stream(handle, [](Stream& stream) { stream.drain(); });
  }
}

Result<Stream*> Runtime::stream_slow(void* handle) {
  device_news_.look();
  CANOPY_ASSIGN(Stream * found, live_stream(handle));
  CANOPY_TRY(found->check_accepts());
  return found;
}

Result<Stream*> Runtime::live_stream(void* handle) {
  CANOPY_ASSIGN(Context * context, current_context());
  return live_stream_of(*context, handle);
}

Result<Stream*> Runtime::live_stream_of(Context& context, void* handle) {
  if (handle == nullptr) {
    return context.default_stream_object();
  }
  Stream* found = streams_.find(handle);
  if (found == nullptr) {
    return fail(Errc::stale_handle, "{} is not a live stream", fmt::ptr(handle));
  }
  if (&found->context() != &context) {
    return fail(
        Errc::wrong_context,
        "stream {} belongs to another context of device {}, the current one is of device {}",
        found->id(), found->context().device_id(), context.device_id());
  }
  return found;
}

Result<> Runtime::synchronize_stream(void* handle, Deadline deadline) {
  CANOPY_TRY(CallbackScope::refuse("synchronising a stream"));  // first: such a thread has no context, which is not what is wrong
  CANOPY_ASSIGN(Stream * found, live_stream(handle));
  device_news_.look();
  CANOPY_TRY(device_news_.check(found->context().device_id()));
  const int device = found->context().device_id();
  auto done = found->synchronize(deadline);  // another thread may end the stream now
  if (pools_.any()) [[unlikely]] {
    pools_.after_synchronize(device);
  }
  return done;
}

void Runtime::reopen_streams(int device) {
  for (void* handle : streams_.handles()) {
    with_stream(handle, [&](Stream& stream) {
      if (stream.context().device_id() == device) {
        stream.reopen();
      }
    });
  }
}

bool Runtime::stream_reached(void* handle, uint64_t ticket) {
  std::lock_guard lock(holds_mutex_);
  Stream* found = streams_.find(handle);
  return found == nullptr || found->strand().completed() >= ticket;
}

Result<> Runtime::order_after(Stream& later, void* earlier) {
  const int device = later.context().device_id();
  Result<> ordered;
  with_stream(earlier, [&](Stream& stream) {
    Event mark(device, Event::Family::new_style, ACL_EVENT_SYNC,
               event_ids_[static_cast<size_t>(device)]);
    ordered = mark.record(stream).and_then([&] { return mark.wait(later, 0); });
  });
  return ordered;
}

Result<> Runtime::synchronize_device(Deadline deadline) {
  CANOPY_TRY(CallbackScope::refuse("synchronising a device"));
  CANOPY_ASSIGN(Context * context, current_context());
  device_news_.look();
  CANOPY_TRY(device_news_.check(context->device_id()));
  Result<> first;
  bool in_time = true;  // what there is to say of all waits is said once
  for (void* handle : context->streams()) {
    with_stream(handle, [&](Stream& stream) {
      auto done = stream.synchronize(deadline, Stream::Callbacks::left);
      in_time = done || done.error().code != Errc::stream_timeout;
      if (!done && first) {
        first = std::move(done);
      }
    });
    if (!in_time) {
      break;
    }
  }
  const int device = context->device_id();
  if (!first) {
    exceptions_.await();  // a callback may end the streams, and the context
  }
  if (pools_.any()) [[unlikely]] {
    pools_.after_synchronize(device);
  }
  return first;
}

}  // namespace canopy
