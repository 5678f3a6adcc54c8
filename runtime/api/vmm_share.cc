// acl_rt.h: physical memory in the hands of other processes.
#include "runtime/core/memory_handles.h"

#include "runtime/api/guard.h"
#include "runtime/driver/fabric_handle.h"

#include "acl/rt/vmm.h"

#include <cstring>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

static_assert(sizeof(aclrtMemFabricHandle) == sizeof(FabricHandle));

namespace {

Result<> check_flags(const char* function, uint64_t flags) {
  if (flags > ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION) {
    return fail(Errc::invalid_argument, "{}: flags {:#x}: 0 or 1 is wanted", function, flags);
  }
  return {};
}

// How a handle of a kind is written and read.
enum class Shape { number, fabric };

Result<Shape> shape_of(aclrtMemSharedHandleType type) {
  switch (type) {
    case ACL_MEM_SHARE_HANDLE_TYPE_DEFAULT: return Shape::number;
    case ACL_MEM_SHARE_HANDLE_TYPE_FABRIC: return Shape::fabric;
  }
  return fail(Errc::invalid_argument, "{} is not one of aclrtMemSharedHandleType", static_cast<int>(type));
}

Result<uint64_t> share(aclrtDrvMemHandle handle, uint64_t flags) {
  return runtime().memory_handles().share(handle, flags != ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION);
}

uint64_t number_at(const void* memory) {
  uint64_t number = 0;
  std::memcpy(&number, memory, sizeof number);
  return number;
}

Result<FabricHandle> fabric_at(const void* memory) {
  FabricHandle handle;
  std::memcpy(&handle, memory, sizeof handle);
  if (handle.magic != FabricHandle::kMagic) {
    return fail(Errc::invalid_argument, "the 128 bytes at {} are no handle of the kind FABRIC", fmt::ptr(memory));
  }
  return handle;
}

}  // namespace

extern "C" {

aclError aclrtMemExportToShareableHandle(aclrtDrvMemHandle handle, aclrtMemHandleType handleType, uint64_t flags,
                                         uint64_t* shareableHandle) {
  CANOPY_ACL_NOT_NULL(handle);
  CANOPY_ACL_NOT_NULL(shareableHandle);
  return guard_into(shareableHandle, [&]() -> Result<uint64_t> {
    CANOPY_TRY(check_flags("aclrtMemExportToShareableHandle", flags));
    if (handleType != ACL_MEM_HANDLE_TYPE_NONE) {
      return fail(handleType == ACL_MEM_HANDLE_TYPE_POSIX ? Errc::not_supported : Errc::invalid_argument,
                  "handleType {}: NONE (0) is wanted", static_cast<int>(handleType));
    }
    return share(handle, flags);
  });
}

aclError aclrtMemExportToShareableHandleV2(aclrtDrvMemHandle handle, uint64_t flags, aclrtMemSharedHandleType shareType,
                                           void* shareableHandle) {
  CANOPY_ACL_NOT_NULL(handle);
  CANOPY_ACL_NOT_NULL(shareableHandle);
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_flags("aclrtMemExportToShareableHandleV2", flags));
    CANOPY_ASSIGN(const Shape shape, shape_of(shareType));
    if (shape == Shape::number) {
      CANOPY_ASSIGN(const uint64_t id, share(handle, flags));
      std::memcpy(shareableHandle, &id, sizeof id);
      return {};
    }
    CANOPY_ASSIGN(const FabricHandle fabric, runtime().memory_handles().share_fabric(
                                                 handle, flags != ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION));
    std::memcpy(shareableHandle, &fabric, sizeof fabric);
    return {};
  });
}

aclError aclrtMemSetPidToShareableHandle(uint64_t shareableHandle, int32_t* pid, size_t pidNum) {
  CANOPY_ACL_NOT_NULL(pid);
  return guard([&] { return runtime().memory_handles().allow(shareableHandle, {pid, pidNum}); });
}

aclError aclrtMemSetPidToShareableHandleV2(void* shareableHandle, aclrtMemSharedHandleType shareType, int32_t* pid,
                                           size_t pidNum) {
  CANOPY_ACL_NOT_NULL(shareableHandle);
  CANOPY_ACL_NOT_NULL(pid);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const Shape shape, shape_of(shareType));
    uint64_t id = 0;
    if (shape == Shape::number) {
      id = number_at(shareableHandle);
    } else {
      CANOPY_ASSIGN(const FabricHandle fabric, fabric_at(shareableHandle));
      id = fabric.id;
    }
    return runtime().memory_handles().allow(id, {pid, pidNum});
  });
}

aclError aclrtMemImportFromShareableHandle(uint64_t shareableHandle, int32_t deviceId, aclrtDrvMemHandle* handle) {
  CANOPY_ACL_NOT_NULL(handle);
  return guard_into(handle, [&] { return runtime().memory_handles().import(shareableHandle, deviceId); });
}

aclError aclrtMemImportFromShareableHandleV2(void* shareableHandle, aclrtMemSharedHandleType shareType, uint64_t flags,
                                             aclrtDrvMemHandle* handle) {
  CANOPY_ACL_NOT_NULL(shareableHandle);
  CANOPY_ACL_NOT_NULL(handle);
  return guard_into(handle, [&]() -> Result<void*> {
    if (flags != 0) {
      return fail(Errc::invalid_argument, "aclrtMemImportFromShareableHandleV2: flags must be 0, not {}", flags);
    }
    CANOPY_ASSIGN(const Shape shape, shape_of(shareType));
    CANOPY_ASSIGN(const int user, runtime().current_device());
    if (shape == Shape::number) {
      return runtime().memory_handles().import(number_at(shareableHandle), user);
    }
    CANOPY_ASSIGN(const FabricHandle fabric, fabric_at(shareableHandle));
    return runtime().memory_handles().import_fabric(fabric, user);
  });
}

}  // extern "C"
