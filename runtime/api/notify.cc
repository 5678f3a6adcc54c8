// acl_rt.h: notifies.
#include "runtime/api/guard.h"

#include <span>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

constexpr auto kFlag = Notify::Kind::flag;

}  // namespace

extern "C" {

aclError aclrtCreateNotify(aclrtNotify* notify, uint64_t flag) {
  CANOPY_ACL_NOT_NULL(notify);
  return guard_into(notify, [&]() -> Result<void*> {
    if (flag != ACL_NOTIFY_DEFAULT && flag != ACL_NOTIFY_DEVICE_USE_ONLY) {
      return fail(Errc::invalid_argument, "aclrtCreateNotify: flag {:#x} is none of ACL_NOTIFY_*",
                  flag);
    }
    CANOPY_ASSIGN(const int device, runtime().current_device());
    return runtime().notifies().create(device, kFlag);
  });
}

aclError aclrtDestroyNotify(aclrtNotify notify) {
  CANOPY_ACL_NOT_NULL(notify);
  return guard([&] { return runtime().notifies().destroy(notify, kFlag); });
}

aclError aclrtRecordNotify(aclrtNotify notify, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(notify);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Notify * found, runtime().notifies().find(notify, kFlag));
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    found->record(*target, NotifyChange::set, 1);
    return {};
  });
}

aclError aclrtWaitAndResetNotify(aclrtNotify notify, aclrtStream stream, uint32_t timeout) {
  CANOPY_ACL_NOT_NULL(notify);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Notify * found, runtime().notifies().find(notify, kFlag));
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    found->wait(*target, NotifyTest::equal, 1, true, timeout);
    return {};
  });
}

aclError aclrtGetNotifyId(aclrtNotify notify, uint32_t* notifyId) {
  CANOPY_ACL_NOT_NULL(notify);
  CANOPY_ACL_NOT_NULL(notifyId);
  return guard_into(notifyId, [&]() -> Result<uint32_t> {
    CANOPY_ASSIGN(Notify * found, runtime().notifies().find(notify, kFlag));
    return found->id();
  });
}

aclError aclrtNotifyBatchReset(aclrtNotify* notifies, size_t num) {
  CANOPY_ACL_NOT_NULL(notifies);
  return guard([&]() -> Result<> {
    if (num == 0) {
      return fail(Errc::invalid_argument, "aclrtNotifyBatchReset: 0 notifies");
    }
    return runtime().notifies().clear(std::span<void* const>(notifies, num));
  });
}

}  // extern "C"
