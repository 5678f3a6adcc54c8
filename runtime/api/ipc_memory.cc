// acl_rt.h: device memory in the hands of other processes, by keys.
#include "runtime/core/ipc_memory.h"

#include "runtime/api/guard.h"
#include "runtime/api/shared_keys.h"

#include "acl/rt/ipc_memory.h"

#include <cstring>
#include <span>
#include <string>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;
using acl::text_of_key;

namespace {

static_assert(SharedKey::kCharacters < acl::kKeyRoom);

Result<> check_flags(const char* function, uint64_t flags) {
  if (flags > 1) {
    return fail(Errc::invalid_argument, "{}: flags {:#x}: 0 or 1 is wanted", function, flags);
  }
  return {};
}

}  // namespace

extern "C" {

aclError aclrtIpcMemGetExportKey(void* devPtr, size_t size, char* key, size_t len, uint64_t flags) {
  CANOPY_ACL_NOT_NULL(devPtr);
  CANOPY_ACL_NOT_NULL(key);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_flags("aclrtIpcMemGetExportKey", flags));
    CANOPY_TRY(acl::check_key_room("aclrtIpcMemGetExportKey", len));
    const bool listed_only = flags != ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION;
    CANOPY_ASSIGN(const std::string text, runtime().ipc_memory().export_key(devPtr, size, listed_only));
    std::memcpy(key, text.c_str(), text.size() + 1);
    return {};
  });
}

aclError aclrtIpcMemImportByKey(void** devPtr, const char* key, uint64_t flags) {
  CANOPY_ACL_NOT_NULL(devPtr);
  CANOPY_ACL_NOT_NULL(key);
  return guard_into(devPtr, [&]() -> Result<void*> {
    CANOPY_TRY(check_flags("aclrtIpcMemImportByKey", flags));
    return runtime().ipc_memory().import(text_of_key(key), flags == ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS);
  });
}

aclError aclrtIpcMemClose(const char* key) {
  CANOPY_ACL_NOT_NULL(key);
  return guard([&] { return runtime().ipc_memory().close(text_of_key(key)); });
}

aclError aclrtIpcMemSetImportPid(const char* key, int32_t* pid, size_t num) {
  CANOPY_ACL_NOT_NULL(key);
  CANOPY_ACL_NOT_NULL(pid);
  return guard([&] { return runtime().ipc_memory().allow(text_of_key(key), {pid, num}); });
}

// A key names memory of this host, and its file; another host can have neither.
aclError aclrtIpcMemImportPidInterServer(const char* key, aclrtServerPid* serverPids, size_t num) {
  CANOPY_ACL_NOT_NULL(key);
  CANOPY_ACL_NOT_NULL(serverPids);
  return guard([&]() -> Result<> {
    CANOPY_TRY(runtime().ipc_memory().check_exported(text_of_key(key)));
    return fail(Errc::not_supported,
                "aclrtIpcMemImportPidInterServer: {} hosts: keys are for processes of one host; memory is shared between "
                "hosts by handles of the kind FABRIC",
                num);
  });
}

// All links of a device are one path here: which of them is preferred changes nothing.
aclError aclrtIpcMemSetAttr(const char* key, aclrtIpcMemAttrType type, uint64_t attr) {
  CANOPY_ACL_NOT_NULL(key);
  return guard([&]() -> Result<> {
    if (type != ACL_RT_IPC_MEM_ATTR_ACCESS_LINK || attr > ACL_RT_IPC_MEM_ATTR_ACCESS_LINK_UB_MULTI_PORT_PATH) {
      return fail(Errc::invalid_argument, "aclrtIpcMemSetAttr: attribute {} with the value {}: 0 with 0 to {} is wanted",
                  static_cast<int>(type), attr, ACL_RT_IPC_MEM_ATTR_ACCESS_LINK_UB_MULTI_PORT_PATH);
    }
    CANOPY_TRY(runtime().ipc_memory().check_exported(text_of_key(key)));
    if (attr >= ACL_RT_IPC_MEM_ATTR_ACCESS_LINK_UB_ONE_PORT_PATH) {
      return fail(Errc::not_supported, "aclrtIpcMemSetAttr: the devices of this machine have no UB ports (value {})", attr);
    }
    return {};
  });
}

}  // extern "C"
