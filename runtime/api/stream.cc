// acl_rt.h: streams.
#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

Result<void*> create(const char* function, uint64_t priority, uint64_t flags) {
  constexpr uint32_t kKnown = ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC | ACL_STREAM_HUGE | ACL_STREAM_PERSISTENT |
                              ACL_STREAM_CPU_SCHEDULE | ACL_STREAM_DEVICE_USE_ONLY;
  if (priority >= Strand::kPriorities) {
    return fail(Errc::invalid_argument, "{}: priority {} is not 0 to {}", function, priority, Strand::kPriorities - 1);
  }
  if ((flags & ~uint64_t{kKnown}) != 0) {
    return fail(Errc::invalid_argument, "{}: unknown flag bits {:#x}", function, flags & ~uint64_t{kKnown});
  }
  return runtime().create_stream(static_cast<uint32_t>(priority), static_cast<uint32_t>(flags));
}

}  // namespace

extern "C" {

aclError aclrtCreateStreamWithConfig(aclrtStream* stream, uint32_t priority, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(stream);
  return guard_into(stream, [&] { return create("aclrtCreateStreamWithConfig", priority, flag); });
}

aclError aclrtCreateStream(aclrtStream* stream) { return aclrtCreateStreamWithConfig(stream, 0, 0); }

aclError aclrtCreateStreamV2(aclrtStream* stream, const aclrtStreamConfigHandle* handle) {
  CANOPY_ACL_NOT_NULL(stream);
  CANOPY_ACL_NOT_NULL(handle);
  return guard_into(stream, [&]() -> Result<void*> {
    if ((handle->workptr == nullptr) != (handle->workSize == 0)) {
      return fail(Errc::invalid_argument, "aclrtCreateStreamV2: work memory at {} of {} bytes: both or none", handle->workptr,
                  handle->workSize);
    }
    return create("aclrtCreateStreamV2", handle->priority, handle->flag);
  });
}

aclError aclrtDestroyStream(aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(stream);
  return guard([&] { return runtime().destroy_stream(stream, false); });
}

aclError aclrtDestroyStreamForce(aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(stream);
  return guard([&] { return runtime().destroy_stream(stream, true); });
}

aclError aclrtGetStreamAvailableNum(uint32_t* streamCount) {
  CANOPY_ACL_NOT_NULL(streamCount);
  return guard_into(streamCount, [] { return runtime().streams_available(); });
}

aclError aclrtRegStreamStateCallback(const char* regName, aclrtStreamStateCallback callback, void* args) {
  CANOPY_ACL_NOT_NULL(regName);
  return guard([&] { return runtime().stream_callbacks().set(regName, callback, args); });
}

aclError aclrtSynchronizeStream(aclrtStream stream) {
  return guard([&] { return runtime().synchronize_stream(stream, Deadline::user_default()); });
}

aclError aclrtSynchronizeStreamWithTimeout(aclrtStream stream, int32_t timeout) {
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const Deadline deadline, acl::deadline_of(timeout));
    return runtime().synchronize_stream(stream, deadline);
  });
}

aclError aclrtStreamQuery(aclrtStream stream, aclrtStreamStatus* status) {
  CANOPY_ACL_NOT_NULL(status);
  return guard_into(status, [&]() -> Result<aclrtStreamStatus> {
    CANOPY_ASSIGN(Stream * found, runtime().live_stream(stream));
    return found->query() ? ACL_STREAM_STATUS_COMPLETE : ACL_STREAM_STATUS_NOT_READY;
  });
}

aclError aclrtStreamGetId(aclrtStream stream, int32_t* streamId) {
  CANOPY_ACL_NOT_NULL(streamId);
  return guard_into(streamId, [&] { return runtime().live_stream(stream).map([](Stream* s) { return s->id(); }); });
}

}  // extern "C"
