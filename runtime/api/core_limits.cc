// acl_rt.h: how many cores work may use.
#include "runtime/core/core_limits.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

CoreLimits& limits() { return runtime().core_limits(); }

Result<CoreKind> kind_of(aclrtDevResLimitType type) {
  switch (type) {
    case ACL_RT_DEV_RES_CUBE_CORE:
      return CoreKind::cube;
    case ACL_RT_DEV_RES_VECTOR_CORE:
      return CoreKind::vector;
  }
  return fail(Errc::invalid_argument, "{} is no kind of core that can be limited",
              static_cast<int>(type));
}

}  // namespace

extern "C" {

aclError aclrtGetDeviceResLimit(int32_t deviceId, aclrtDevResLimitType type, uint32_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard_into(value, [&] {
    return kind_of(type).and_then(
        [&](CoreKind kind) { return limits().of_device(deviceId, kind); });
  });
}

aclError aclrtSetDeviceResLimit(int32_t deviceId, aclrtDevResLimitType type, uint32_t value) {
  return guard([&] {
    return kind_of(type).and_then(
        [&](CoreKind kind) { return limits().set_of_device(deviceId, kind, value); });
  });
}

aclError aclrtResetDeviceResLimit(int32_t deviceId) {
  return guard([&] { return limits().reset_device(deviceId); });
}

aclError aclrtGetStreamResLimit(aclrtStream stream, aclrtDevResLimitType type, uint32_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard_into(value, [&] {
    return kind_of(type).and_then([&](CoreKind kind) { return limits().of_stream(stream, kind); });
  });
}

aclError aclrtSetStreamResLimit(aclrtStream stream, aclrtDevResLimitType type, uint32_t value) {
  return guard([&] {
    return kind_of(type).and_then(
        [&](CoreKind kind) { return limits().set_of_stream(stream, kind, value); });
  });
}

aclError aclrtResetStreamResLimit(aclrtStream stream) {
  return guard([&] { return limits().reset_stream(stream); });
}

aclError aclrtUseStreamResInCurrentThread(aclrtStream stream) {
  return guard([&] { return limits().use_stream(stream); });
}

aclError aclrtUnuseStreamResInCurrentThread(aclrtStream stream) {
  return guard([&] { return limits().stop_using(stream); });
}

aclError aclrtGetResInCurrentThread(aclrtDevResLimitType type, uint32_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard_into(value, [&] {
    return kind_of(type).and_then([](CoreKind kind) { return limits().of_thread(kind); });
  });
}

}  // extern "C"
