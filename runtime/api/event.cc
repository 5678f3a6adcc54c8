// acl_rt.h: events.
#include "runtime/api/guard.h"
#include "runtime/core/shared_event.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

constexpr uint32_t kKnownFlags = ACL_EVENT_SYNC | ACL_EVENT_CAPTURE_STREAM_PROGRESS | ACL_EVENT_TIME_LINE |
                                 ACL_EVENT_DEVICE_USE_ONLY | ACL_EVENT_EXTERNAL | ACL_EVENT_IPC;

Result<void*> create(Event::Family family, uint32_t flag) {
  if (flag == 0 || (flag & ~kKnownFlags) != 0) {
    return fail(Errc::invalid_argument, "event flag {:#x}: an OR of ACL_EVENT_* is wanted", flag);
  }
  for (uint32_t alone : {ACL_EVENT_EXTERNAL, ACL_EVENT_IPC}) {
    if ((flag & alone) != 0 && flag != alone) {
      return fail(Errc::invalid_argument, "event flag {:#x}: EXTERNAL and IPC stand alone", flag);
    }
  }
  const bool new_style = family == Event::Family::new_style;
  if (flag == ACL_EVENT_EXTERNAL && new_style) {
    return fail(Errc::invalid_argument, "event flag {:#x}: EXTERNAL is for aclrtCreateEventWithFlag", flag);
  }
  if (flag == ACL_EVENT_IPC) {
    if (!new_style) {
      return fail(Errc::invalid_argument, "event flag {:#x}: IPC is for aclrtCreateEventExWithFlag", flag);
    }
    return runtime().create_shared_event(flag);
  }
  return runtime().create_event(family, flag);
}

Result<> record(aclrtEvent event, aclrtStream stream) {
  CANOPY_ASSIGN(Event * found, runtime().event(event));
  CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
  return found->record(*target);
}

Result<> wait(aclrtStream stream, aclrtEvent event, uint32_t limit_s) {
  CANOPY_ASSIGN(Event * found, runtime().event(event));
  CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
  return found->wait(*target, limit_s);
}

// For streams that record a graph only, and none does.
Result<> refuse_external(const char* function, aclrtEvent event, aclrtStream stream) {
  CANOPY_TRY(runtime().event(event));
  CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
  return fail(Errc::not_captured, "{}: EXTERNAL on stream {}, which records no graph", function, target->id());
}

tl::unexpected<Error> unknown_flag(const char* function, uint32_t flag) {
  return fail(Errc::invalid_argument, "{}: flag {:#x}, DEFAULT (0) or EXTERNAL (1) is wanted", function, flag);
}

}  // namespace

extern "C" {

aclError aclrtCreateEvent(aclrtEvent* event) {
  CANOPY_ACL_NOT_NULL(event);
  // The plain form is all-purpose: waits and timestamps.
  return guard_into(event, [] {
    return runtime().create_event(Event::Family::old_style, 0);
  });
}

aclError aclrtCreateEventWithFlag(aclrtEvent* event, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(event);
  return guard_into(event, [&] { return create(Event::Family::old_style, flag); });
}

aclError aclrtCreateEventExWithFlag(aclrtEvent* event, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(event);
  return guard_into(event, [&] { return create(Event::Family::new_style, flag); });
}

aclError aclrtDestroyEvent(aclrtEvent event) {
  CANOPY_ACL_NOT_NULL(event);
  return guard([&] { return runtime().destroy_event(event); });
}

aclError aclrtRecordEvent(aclrtEvent event, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(event);
  return guard([&] { return record(event, stream); });
}

aclError aclrtRecordEventWithFlag(aclrtEvent event, aclrtStream stream, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(event);
  return guard([&]() -> Result<> {
    switch (flag) {
      case ACL_EVENT_RECORD_DEFAULT: return record(event, stream);
      case ACL_EVENT_RECORD_EXTERNAL: return refuse_external("aclrtRecordEventWithFlag", event, stream);
      default: return unknown_flag("aclrtRecordEventWithFlag", flag);
    }
  });
}

aclError aclrtResetEvent(aclrtEvent event, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(event);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Event * found, runtime().event(event));
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    return found->reset(*target);
  });
}

aclError aclrtStreamWaitEvent(aclrtStream stream, aclrtEvent event) {
  CANOPY_ACL_NOT_NULL(event);
  return guard([&] { return wait(stream, event, runtime().wait_limit()); });
}

// Seconds, as devices take it.
aclError aclrtStreamWaitEventWithTimeout(aclrtStream stream, aclrtEvent event, int32_t timeout) {
  CANOPY_ACL_NOT_NULL(event);
  return guard([&]() -> Result<> {
    if (timeout < 0) {
      return fail(Errc::invalid_argument, "aclrtStreamWaitEventWithTimeout: {} s: 0 (no limit) or more is wanted", timeout);
    }
    return wait(stream, event, static_cast<uint32_t>(timeout));
  });
}

aclError aclrtStreamWaitEventWithFlag(aclrtStream stream, aclrtEvent event, uint32_t timeout, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(event);
  return guard([&]() -> Result<> {
    switch (flag) {
      case ACL_EVENT_WAIT_DEFAULT: return wait(stream, event, timeout);
      case ACL_EVENT_WAIT_EXTERNAL:
        if (timeout != 0) {
          return fail(Errc::invalid_argument, "aclrtStreamWaitEventWithFlag: EXTERNAL with a limit of {} s", timeout);
        }
        return refuse_external("aclrtStreamWaitEventWithFlag", event, stream);
      default: return unknown_flag("aclrtStreamWaitEventWithFlag", flag);
    }
  });
}

aclError aclrtSetOpWaitTimeout(uint32_t timeout) {
  return guard([&]() -> Result<> {
    runtime().set_wait_limit(timeout);
    return {};
  });
}

aclError aclrtSynchronizeEvent(aclrtEvent event) {
  CANOPY_ACL_NOT_NULL(event);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Event * found, runtime().event(event));
    return found->synchronize(Deadline::user_default());
  });
}

aclError aclrtSynchronizeEventWithTimeout(aclrtEvent event, int32_t timeout) {
  CANOPY_ACL_NOT_NULL(event);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const Deadline deadline, acl::deadline_of(timeout));
    CANOPY_ASSIGN(Event * found, runtime().event(event));
    return found->synchronize(deadline);
  });
}

aclError aclrtQueryEvent(aclrtEvent event, aclrtEventStatus* status) {
  CANOPY_ACL_NOT_NULL(event);
  CANOPY_ACL_NOT_NULL(status);
  return guard_into(status, [&]() -> Result<aclrtEventStatus> {
    CANOPY_ASSIGN(Event * found, runtime().event(event));
    if (found->family() == Event::Family::new_style) {
      return fail(Errc::invalid_argument, "aclrtQueryEvent: events made by aclrtCreateEventExWithFlag are queried with "
                  "aclrtQueryEventStatus");
    }
    CANOPY_ASSIGN(const bool complete, found->query());
    return complete ? ACL_EVENT_STATUS_COMPLETE : ACL_EVENT_STATUS_NOT_READY;
  });
}

aclError aclrtQueryEventStatus(aclrtEvent event, aclrtEventRecordedStatus* status) {
  CANOPY_ACL_NOT_NULL(event);
  CANOPY_ACL_NOT_NULL(status);
  return guard_into(status, [&]() -> Result<aclrtEventRecordedStatus> {
    CANOPY_ASSIGN(Event * found, runtime().event(event));
    CANOPY_ASSIGN(const bool complete, found->query());
    return complete ? ACL_EVENT_RECORDED_STATUS_COMPLETE : ACL_EVENT_RECORDED_STATUS_NOT_READY;
  });
}

aclError aclrtQueryEventWaitStatus(aclrtEvent event, aclrtEventWaitStatus* status) {
  CANOPY_ACL_NOT_NULL(event);
  CANOPY_ACL_NOT_NULL(status);
  return guard_into(status, [&]() -> Result<aclrtEventWaitStatus> {
    CANOPY_ASSIGN(Event * found, runtime().event(event));
    CANOPY_ASSIGN(const bool over, found->waits_over());
    return over ? ACL_EVENT_WAIT_STATUS_COMPLETE : ACL_EVENT_WAIT_STATUS_NOT_READY;
  });
}

aclError aclrtGetEventId(aclrtEvent event, uint32_t* eventId) {
  CANOPY_ACL_NOT_NULL(event);
  CANOPY_ACL_NOT_NULL(eventId);
  return guard_into(eventId, [&]() -> Result<uint32_t> {
    CANOPY_ASSIGN(Event * found, runtime().event(event));
    return found->id();
  });
}

aclError aclrtGetEventAvailNum(uint32_t* eventCount) {
  CANOPY_ACL_NOT_NULL(eventCount);
  return guard_into(eventCount, [] { return runtime().events_available(); });
}

aclError aclrtEventElapsedTime(float* ms, aclrtEvent startEvent, aclrtEvent endEvent) {
  CANOPY_ACL_NOT_NULL(ms);
  CANOPY_ACL_NOT_NULL(startEvent);
  CANOPY_ACL_NOT_NULL(endEvent);
  return guard_into(ms, [&]() -> Result<float> {
    CANOPY_ASSIGN(Event * start, runtime().event(startEvent));
    CANOPY_ASSIGN(Event * end, runtime().event(endEvent));
    CANOPY_ASSIGN(const uint64_t from, start->timestamp_ns());
    CANOPY_ASSIGN(const uint64_t to, end->timestamp_ns());
    return static_cast<float>(static_cast<double>(static_cast<int64_t>(to - from)) / 1e6);
  });
}

aclError aclrtEventGetTimestamp(aclrtEvent event, uint64_t* timestamp) {
  CANOPY_ACL_NOT_NULL(event);
  CANOPY_ACL_NOT_NULL(timestamp);
  return guard_into(timestamp, [&]() -> Result<uint64_t> {
    CANOPY_ASSIGN(Event * found, runtime().event(event));
    return found->timestamp_ns().map([](uint64_t ns) { return ns / 1000; });
  });
}

aclError aclrtIpcGetEventHandle(aclrtEvent event, aclrtIpcEventHandle* handle) {
  CANOPY_ACL_NOT_NULL(event);
  CANOPY_ACL_NOT_NULL(handle);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Event * found, runtime().event(event));
    if (found->shared() == nullptr) {
      return fail(Errc::invalid_argument, "aclrtIpcGetEventHandle: the event was made with flags {:#x}, not with "
                  "aclrtCreateEventExWithFlag and ACL_EVENT_IPC", found->flags());
    }
    CANOPY_ASSIGN(const std::string text, found->shared()->handle());
    static_assert(sizeof handle->reserved == SharedEvent::kHandleBytes);
    std::fill(std::begin(handle->reserved), std::end(handle->reserved), '\0');
    text.copy(handle->reserved, sizeof handle->reserved - 1);
    return {};
  });
}

aclError aclrtIpcOpenEventHandle(aclrtIpcEventHandle handle, aclrtEvent* event) {
  CANOPY_ACL_NOT_NULL(event);
  return guard_into(event, [&] {
    const std::string text(handle.reserved, ::strnlen(handle.reserved, sizeof handle.reserved));
    return runtime().open_shared_event(text, ACL_EVENT_IPC);
  });
}

}  // extern "C"
