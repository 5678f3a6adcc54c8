// acl_rt.h: notifies.
#include "runtime/api/guard.h"
#include "runtime/api/shared_keys.h"

#include <span>
#include <string>

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
    return found->record(*target, NotifyChange::set, 1);
  });
}

aclError aclrtWaitAndResetNotify(aclrtNotify notify, aclrtStream stream, uint32_t timeout) {
  CANOPY_ACL_NOT_NULL(notify);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Notify * found, runtime().notifies().find(notify, kFlag));
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    return found->wait(*target, NotifyTest::equal, 1, true, timeout);
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
    CANOPY_TRY(acl::check_count("aclrtNotifyBatchReset", num, size_t{kMaxDevices} * Notifies::kPerDevice, "notifies"));
    return runtime().notifies().clear(std::span<void* const>(notifies, num));
  });
}

aclError aclrtNotifyGetExportKey(aclrtNotify notify, char* key, size_t len, uint64_t flags) {
  CANOPY_ACL_NOT_NULL(notify);
  CANOPY_ACL_NOT_NULL(key);
  return guard([&]() -> Result<> {
    CANOPY_TRY(acl::check_key_room("aclrtNotifyGetExportKey", len));
    if ((flags & ~ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION) != 0) {
      return fail(Errc::invalid_argument, "aclrtNotifyGetExportKey: flags {:#x}, 0 or 2 is wanted", flags);
    }
    CANOPY_ASSIGN(Notify * found, runtime().notifies().find(notify, kFlag));
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_ASSIGN(const std::string text, found->export_key(*driver, flags == ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT));
    key[text.copy(key, len - 1)] = '\0';
    return {};
  });
}

aclError aclrtNotifyImportByKey(aclrtNotify* notify, const char* key, uint64_t flags) {
  CANOPY_ACL_NOT_NULL(notify);
  CANOPY_ACL_NOT_NULL(key);
  return guard_into(notify, [&]() -> Result<void*> {
    if ((flags & ~ACL_RT_NOTIFY_IMPORT_FLAG_ENABLE_PEER_ACCESS) != 0) {
      return fail(Errc::invalid_argument, "aclrtNotifyImportByKey: flags {:#x}, 0 or 2 is wanted", flags);
    }
    CANOPY_ASSIGN(const int device, runtime().current_device());
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    PeerAccess* enable = flags == ACL_RT_NOTIFY_IMPORT_FLAG_ENABLE_PEER_ACCESS ? &runtime().peers() : nullptr;
    return runtime().notifies().import(*driver, device, std::string(acl::text_of_key(key)), enable);
  });
}

aclError aclrtNotifySetImportPid(aclrtNotify notify, int32_t* pid, size_t num) {
  CANOPY_ACL_NOT_NULL(notify);
  CANOPY_ACL_NOT_NULL(pid);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Notify * found, runtime().notifies().find(notify, kFlag));
    return found->allow({pid, num});
  });
}

// A notify is a word that both sides map; another host cannot.
aclError aclrtNotifySetImportPidInterServer(aclrtNotify notify, aclrtServerPid* serverPids, size_t num) {
  CANOPY_ACL_NOT_NULL(notify);
  CANOPY_ACL_NOT_NULL(serverPids);
  return guard([&]() -> Result<> {
    CANOPY_TRY(runtime().notifies().find(notify, kFlag));
    return fail(Errc::not_supported, "aclrtNotifySetImportPidInterServer: {} hosts: a notify is for processes of one host", num);
  });
}

}  // extern "C"
