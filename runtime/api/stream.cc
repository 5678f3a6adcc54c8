// acl_rt.h: streams and host functions.
#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

extern "C" {

aclError aclrtCreateStreamWithConfig(aclrtStream* stream, uint32_t priority, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(stream);
  return guard_into(stream, [&]() -> Result<void*> {
    constexpr uint32_t kBuilt = ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC | ACL_STREAM_HUGE;
    constexpr uint32_t kKnown = kBuilt | ACL_STREAM_PERSISTENT | ACL_STREAM_CPU_SCHEDULE | ACL_STREAM_DEVICE_USE_ONLY;
    if (priority >= Strand::kPriorities) {
      return fail(Errc::invalid_argument, "aclrtCreateStreamWithConfig: priority {} is not 0 to {}", priority,
                  Strand::kPriorities - 1);
    }
    if ((flag & ~kKnown) != 0) {
      return fail(Errc::invalid_argument, "aclrtCreateStreamWithConfig: unknown flag bits {:#x}", flag & ~kKnown);
    }
    if ((flag & ~kBuilt) != 0) {
      return fail(Errc::not_supported, "aclrtCreateStreamWithConfig: flag {:#x} is not built", flag & ~kBuilt);
    }
    return runtime().create_stream(priority, flag);
  });
}

aclError aclrtCreateStream(aclrtStream* stream) { return aclrtCreateStreamWithConfig(stream, 0, 0); }

aclError aclrtDestroyStream(aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(stream);
  return guard([&] { return runtime().destroy_stream(stream); });
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
    CANOPY_ASSIGN(Stream * found, runtime().stream(stream));
    return found->query() ? ACL_STREAM_STATUS_COMPLETE : ACL_STREAM_STATUS_NOT_READY;
  });
}

aclError aclrtStreamGetId(aclrtStream stream, int32_t* streamId) {
  CANOPY_ACL_NOT_NULL(streamId);
  return guard_into(streamId, [&] { return runtime().stream(stream).map([](Stream* s) { return s->id(); }); });
}

aclError aclrtStreamGetPriority(aclrtStream stream, uint32_t* priority) {
  CANOPY_ACL_NOT_NULL(priority);
  return guard_into(priority, [&] { return runtime().stream(stream).map([](Stream* s) { return s->priority(); }); });
}

aclError aclrtStreamGetFlags(aclrtStream stream, uint32_t* flags) {
  CANOPY_ACL_NOT_NULL(flags);
  return guard_into(flags, [&] { return runtime().stream(stream).map([](Stream* s) { return s->flags(); }); });
}

aclError aclrtLaunchHostFunc(aclrtStream stream, aclrtHostFunc fn, void* args) {
  if (fn == nullptr) {
    return acl::null_argument(__func__, "fn");
  }
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Stream * found, runtime().stream(stream));
    found->post(0, [&](Sqe& sqe, std::byte*) {
      sqe.kind = SqeKind::call;
      sqe.body.call = {fn, args, "host function"};
    });
    return {};
  });
}

}  // extern "C"
