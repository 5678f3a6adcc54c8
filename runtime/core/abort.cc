// The part of Runtime that aborts: a stream's tasks, a device's.
#include "runtime/core/callback_scope.h"
#include "runtime/core/runtime.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

namespace canopy {

Result<> Runtime::abort_stream(void* handle) {
  CANOPY_TRY(CallbackScope::refuse("aborting a stream"));
  CANOPY_ASSIGN(Stream * found, live_stream(handle));
  CANOPY_TRY(found->check_unbound("aborted"));
  if (found->stored()) {
    return fail(Errc::invalid_argument,
                "stream {}: the tasks of a persistent stream do not run by themselves: "
                "aclrtPersistentTaskClean drops them",
                found->id());
  }
  auto done = found->abort(AbortReason::stream, Deadline::user_default());
  CANOPY_ASSIGN(const Driver* current, driver());
  current->reports().error(found->context().device_id(), DeviceError::abort, EventKind::abort,
                           static_cast<uint64_t>(found->id()), fmt::format("the tasks of stream {}", found->id()));
  drop_pending_callbacks(*found);
  return done;
}

void Runtime::drop_pending_callbacks(const Stream& stream) {
  callback_threads_.drop_pending(stream);
  host_function_threads_.drop_pending(stream);
}

Result<> Runtime::stop_stream(void* handle) {
  CANOPY_TRY(CallbackScope::refuse("stopping a stream"));
  CANOPY_ASSIGN(Stream * found, live_stream(handle));
  CANOPY_TRY(found->check_unbound("stopped"));
  if (found->is_default() || found->stored()) {
    return fail(Errc::invalid_argument, "stream {}: {} cannot be stopped", found->id(),
                found->stored() ? "a persistent stream" : "a default stream");
  }
  return found->stop(Deadline::user_default());
}

Result<> Runtime::call_abort_callbacks(int device, aclrtDeviceTaskAbortStage stage,
                                       uint32_t timeout_ms) {
  std::string who;
  if (const int32_t code = abort_callbacks_.call_until_failure(&who, device, stage, timeout_ms);
      code != 0) {
    return fail(Errc::abort_refused, "device {}: the abort callback '{}' returned {} {} the abort",
                device, who, code, stage == ACL_RT_DEVICE_TASK_ABORT_PRE ? "before" : "after");
  }
  return {};
}

Result<> Runtime::abort_device(int device, uint32_t timeout_ms) {
  CANOPY_TRY(CallbackScope::refuse("aborting the tasks of a device"));
  CANOPY_ASSIGN(Driver * current, driver());
  CANOPY_TRY(current->check_device(device));
  if (timeout_ms > kLongestAbortMs) {
    return fail(Errc::invalid_argument,
                "device {}: {} ms for an abort, {} (36 minutes) is the most", device, timeout_ms,
                kLongestAbortMs);
  }
  const Deadline deadline = timeout_ms == 0
                                ? Deadline::user_default()
                                : Deadline::after(std::chrono::milliseconds(timeout_ms));
  CANOPY_TRY(call_abort_callbacks(device, ACL_RT_DEVICE_TASK_ABORT_PRE, timeout_ms));
  current->reports().error(device, DeviceError::abort, EventKind::abort, 0, "all tasks of this process");
  CANOPY_TRY(abort_tasks(device, deadline));
  return call_abort_callbacks(device, ACL_RT_DEVICE_TASK_ABORT_POST, timeout_ms);
}

Result<> Runtime::abort_tasks(int device, Deadline deadline) {
  std::lock_guard one_at_a_time(abort_mutex_);
  std::atomic<bool>& aborting = aborting_[static_cast<size_t>(device)];
  aborting.store(true, std::memory_order_release);
  std::vector<Stream*> streams;
  {
    std::lock_guard lock(holds_mutex_);
    for (void* handle : streams_.handles()) {
      Stream* stream = streams_.find(handle);
      if (stream != nullptr && stream->context().device_id() == device && !stream->stored()) {
        stream->hold();
        streams.push_back(stream);
      }
    }
  }
  for (Stream* stream : streams) {
    stream->close();
    stream->begin_abort(AbortReason::device);
  }
  if (ModelHost* models = model_host()) {
    models->abort_device(device);
  }
  // Those that have nothing to end first: who destroys one is not to wait for the others, which may wait for him.
  std::partition(streams.begin(), streams.end(), [](Stream* stream) { return stream->strand().idle(); });
  Result<> first;
  for (Stream* stream : streams) {
    auto done = stream->finish_abort(deadline);
    drop_pending_callbacks(*stream);
    stream->let_go();
    if (!done && first) {
      first = fail(Errc::timeout, "device {}: its tasks did not all end in time", device);
    }
  }
  aborting.store(false, std::memory_order_release);
  reopen_streams(device);
  return first;
}

}  // namespace canopy
