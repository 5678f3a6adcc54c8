#include "runtime/api/guard.h"

#include "runtime/api/recent_errors.h"
#include "runtime/core/task_error.h"

#include <pthread.h>

#include <atomic>
#include <chrono>

namespace canopy::acl {
namespace {

std::atomic<bool> g_forked{false};

// Registered when the library is loaded: a child must know even if its parent had not called us yet
// in this thread.
[[maybe_unused]] const int g_registered = pthread_atfork(nullptr, nullptr, [] {
  if (Runtime::exists()) {
    g_forked.store(true, std::memory_order_relaxed);  // the child has one thread
    share_errors_of_process(false);                   // whose list another thread may have locked
  }
});

}  // namespace

aclError code_of_fault(int32_t code) {
  if (core_of(code) == CoreKind::aicpu) {
    return fault_of(code) == DeviceFault::timeout ? ACL_ERROR_RT_AICPU_TIMEOUT : ACL_ERROR_RT_AICPU_EXCEPTION;
  }
  const bool vector = core_of(code) == CoreKind::vector;
  switch (fault_of(code)) {
    case DeviceFault::trap: return vector ? ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION : ACL_ERROR_RT_AICORE_TRAP_EXCEPTION;
    case DeviceFault::exception: return vector ? ACL_ERROR_RT_VECTOR_CORE_EXCEPTION : ACL_ERROR_RT_AICORE_EXCEPTION;
    case DeviceFault::timeout: return vector ? ACL_ERROR_RT_VECTOR_CORE_TIMEOUT : ACL_ERROR_RT_AICORE_TIMEOUT;
    case DeviceFault::wait_timeout: return ACL_ERROR_RT_TASK_TIMEOUT;
    case DeviceFault::no_report_thread: return ACL_ERROR_RT_STREAM_NO_CB_REG;
    case DeviceFault::copy: return ACL_ERROR_RT_SYS_DMA;
    case DeviceFault::peer_lost: return ACL_ERROR_RT_DRV_INTERNAL_ERROR;
    case DeviceFault::model_abort: return ACL_ERROR_RT_MODEL_ABORT_NORMAL;
  }
  return ACL_ERROR_RT_INTERNAL_ERROR;
}

bool executors_are_gone() { return g_forked.load(std::memory_order_relaxed) || Driver::halted(); }

aclError refuse_without_executors() {
  error_text::record(Errc::forked, 0,
                     Driver::halted() ? "the process is at its exit: its devices are closed, and all that they had is gone"
                                      : "the runtime was in use before fork(): a child has to exec before it can use devices",
                     std::source_location::current());
  return remember(ACL_ERROR_RT_CONTEXT_NULL);
}

aclError out_of_host_memory() {
  error_text::record(Errc::no_memory, 0, "the host has no memory left for this call", std::source_location::current());
  return remember(ACL_ERROR_BAD_ALLOC);
}

aclError refuse_exception(const char* what) {
  error_text::record(Errc::internal, 0, fmt::format("the call failed with an exception: {}", what),
                     std::source_location::current());
  return remember(ACL_ERROR_RT_INTERNAL_ERROR);
}

Result<Deadline> deadline_of(int32_t timeout_ms) {
  if (timeout_ms == -1) {
    return Deadline::user_default();
  }
  if (timeout_ms <= 0) {
    return fail(Errc::invalid_argument, "timeout {} ms: -1 (no limit) or a positive number is wanted", timeout_ms);
  }
  return Deadline::after(std::chrono::milliseconds(timeout_ms));
}

aclError null_argument(const char* function, const char* argument) {
  error_text::record(Errc::invalid_argument, 0, fmt::format("{}: {} must not be NULL", function, argument),
                     std::source_location::current());
  return remember(ACL_ERROR_INVALID_PARAM);
}

aclError code_of(const Error& error) {
  switch (error.code) {
    case Errc::ok: return ACL_SUCCESS;
    case Errc::invalid_argument:
    case Errc::out_of_range:
    case Errc::misaligned:
    case Errc::not_symmetric: return ACL_ERROR_RT_PARAM_INVALID;
    case Errc::bad_handle:
    case Errc::stale_handle: return ACL_ERROR_RT_INVALID_HANDLE;
    case Errc::wrong_context: return ACL_ERROR_RT_STREAM_CONTEXT;
    case Errc::label_context: return ACL_ERROR_RT_LABEL_CONTEXT;
    case Errc::not_initialized: return ACL_ERROR_REPEAT_FINALIZE;
    case Errc::already_initialized: return ACL_ERROR_REPEAT_INITIALIZE;
    case Errc::no_context:
    case Errc::forked: return ACL_ERROR_RT_CONTEXT_NULL;
    case Errc::not_recorded:
    case Errc::internal: return ACL_ERROR_RT_INTERNAL_ERROR;
    case Errc::not_captured: return ACL_ERROR_RT_STREAM_NOT_CAPTURED;
    case Errc::model_context: return ACL_ERROR_RT_MODEL_CONTEXT;
    case Errc::not_built: return ACL_ERROR_RT_MODEL_EXECUTE;
    case Errc::running: return ACL_ERROR_RT_MODEL_RUNNING;
    case Errc::bound:
    case Errc::not_bound: return ACL_ERROR_RT_STREAM_MODEL;
    case Errc::no_timestamp:
    case Errc::not_ready: return ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID;
    case Errc::busy: return ACL_ERROR_RT_KERNEL_UNREGISTERING;
    case Errc::no_memory: return ACL_ERROR_RT_MEMORY_ALLOCATION;
    case Errc::no_device: return ACL_ERROR_RT_NO_DEVICE;
    case Errc::bad_device: return ACL_ERROR_RT_INVALID_DEVICEID;
    case Errc::no_stream: return ACL_ERROR_RT_NO_STREAM_RESOURCE;
    case Errc::no_event: return ACL_ERROR_RT_NO_EVENT_RESOURCE;
    case Errc::no_notify: return ACL_ERROR_RT_NO_NOTIFY_RESOURCE;
    case Errc::no_model: return ACL_ERROR_RT_NO_MODEL_RESOURCE;
    case Errc::no_group: return ACL_ERROR_RT_GROUP_NOT_CREATE;
    case Errc::limit: return ACL_ERROR_RT_RESOURCE_ALLOC_FAIL;
    case Errc::again: return ACL_ERROR_RT_STREAM_TASK_FULL;
    case Errc::not_supported: return ACL_ERROR_RT_FEATURE_NOT_SUPPORT;
    case Errc::not_updatable: return ACL_ERROR_RT_FEATURE_NOT_SUPPORT_UPDATE_OP;
    case Errc::no_permission: return ACL_ERROR_RT_NO_PERMISSION;
    case Errc::timeout: return ACL_ERROR_RT_WAIT_TIMEOUT;
    case Errc::stream_timeout: return ACL_ERROR_RT_STREAM_SYNC_TIMEOUT;
    case Errc::event_timeout: return ACL_ERROR_RT_EVENT_SYNC_TIMEOUT;
    case Errc::not_found: return ACL_ERROR_KERNEL_NOT_FOUND;
    case Errc::io: return ACL_ERROR_RT_FILE_OPEN;
    case Errc::parse: return ACL_ERROR_PARSE_FILE;
    case Errc::closed:
    case Errc::peer_lost: return ACL_ERROR_RT_DRV_INTERNAL_ERROR;
    case Errc::link_down: return ACL_ERROR_RT_LINK_ERROR;
    case Errc::device_lost: return ACL_ERROR_RT_LOST_HEARTBEAT;
    case Errc::stream_subscribed: return ACL_ERROR_RT_STREAM_SUBSCRIBE;
    case Errc::thread_subscribed: return ACL_ERROR_RT_THREAD_SUBSCRIBE;
    case Errc::no_report_thread: return ACL_ERROR_RT_STREAM_NO_CB_REG;
    case Errc::stream_aborted: return ACL_ERROR_RT_STREAM_ABORT;
    case Errc::device_aborted: return ACL_ERROR_RT_DEVICE_TASK_ABORT;
    case Errc::abort_refused: return ACL_ERROR_RT_TASK_ABORT_STOP;
    case Errc::kernel_fault: return code_of_fault(error.native);
  }
  return ACL_ERROR_RT_INTERNAL_ERROR;
}

}  // namespace canopy::acl
