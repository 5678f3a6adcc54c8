// acl_rt.h: registration of the caller's own host memory.
#include "runtime/core/memory.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

aclError registration_code(aclError code) {
  switch (code) {
    case ACL_ERROR_RT_KERNEL_UNREGISTERING:  // of Errc::busy
      return ACL_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
    case ACL_ERROR_KERNEL_NOT_FOUND:  // of Errc::not_found
      return ACL_ERROR_HOST_MEMORY_NOT_REGISTERED;
    default:
      return code;
  }
}

Result<> register_host(void* ptr, uint64_t size, bool mapped, bool pinned) {
  CANOPY_TRY(runtime().current_context());
  CANOPY_ASSIGN(Driver * driver, runtime().driver());
  return runtime().registrations().add(*driver, ptr, size, mapped, pinned);
}

}  // namespace

extern "C" {

aclError aclrtHostRegister(void* ptr, uint64_t size, aclrtHostRegisterType type, void** devPtr) {
  CANOPY_ACL_NOT_NULL(ptr);
  CANOPY_ACL_NOT_NULL(devPtr);
  return guard_into(
      devPtr,
      [&]() -> Result<void*> {
        if (type == ACL_HOST_REGISTER_IOMEMORY || type == ACL_HOST_REGISTER_READONLY) {
          return fail(Errc::not_supported, "aclrtHostRegister: type {} is reserved",
                      static_cast<uint32_t>(type));
        }
        if (type != ACL_HOST_REGISTER_MAPPED) {
          return fail(Errc::invalid_argument,
                      "aclrtHostRegister: {} is not one of aclrtHostRegisterType",
                      static_cast<uint32_t>(type));
        }
        CANOPY_TRY(register_host(ptr, size, true, false));
        return ptr;
      },
      registration_code);
}

aclError aclrtHostRegisterV2(void* ptr, uint64_t size, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(ptr);
  return guard(
      [&]() -> Result<> {
        constexpr uint32_t kReserved = ACL_HOST_REG_IOMEMORY | ACL_HOST_REG_READONLY;
        constexpr uint32_t kBuilt = ACL_HOST_REG_MAPPED | ACL_HOST_REG_PINNED;
        if (flag == 0 || (flag & ~(kReserved | kBuilt)) != 0) {
          return fail(Errc::invalid_argument,
                      "aclrtHostRegisterV2: flag {:#x}: an OR of ACL_HOST_REG_* is wanted", flag);
        }
        if ((flag & kReserved) != 0) {
          return fail(Errc::not_supported,
                      "aclrtHostRegisterV2: flag {:#x}: IOMEMORY and READONLY are reserved", flag);
        }
        return register_host(ptr, size, (flag & ACL_HOST_REG_MAPPED) != 0,
                             (flag & ACL_HOST_REG_PINNED) != 0);
      },
      registration_code);
}

aclError aclrtHostGetDevicePointer(void* pHost, void** pDevice, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(pHost);
  CANOPY_ACL_NOT_NULL(pDevice);
  return guard_into(
      pDevice,
      [&]() -> Result<void*> {
        if (flag != 0) {
          return fail(Errc::invalid_argument, "aclrtHostGetDevicePointer: flag is {}, it must be 0",
                      flag);
        }
        const auto found = runtime().registrations().find(pHost);
        if (!found || !found->mapped) {
          return fail(Errc::not_found, "{} lies in no host memory that is registered as mapped",
                      fmt::ptr(pHost));
        }
        return pHost;
      },
      registration_code);
}

aclError aclrtHostUnregister(void* ptr) {
  CANOPY_ACL_NOT_NULL(ptr);
  return guard(
      [&]() -> Result<> {
        CANOPY_ASSIGN(Driver * driver, runtime().driver());
        const auto found = runtime().registrations().find(ptr);
        FreeNote note(runtime().task_memory(), MemorySpan{ptr, found && found->base == ptr ? found->bytes : 0});
        return runtime().registrations().remove(*driver, ptr, note);
      },
      registration_code);
}

aclError aclrtHostMemMapCapabilities(uint32_t deviceId, aclrtHacType hacType,
                                     aclrtHostMemMapCapability* capabilities) {
  CANOPY_ACL_NOT_NULL(capabilities);
  return guard_into(capabilities, [&]() -> Result<aclrtHostMemMapCapability> {
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_TRY(driver->check_device(static_cast<int>(deviceId)));
    switch (hacType) {
      case ACL_RT_HAC_TYPE_STARS:
      case ACL_RT_HAC_TYPE_AICPU:
      case ACL_RT_HAC_TYPE_AIC:
      case ACL_RT_HAC_TYPE_AIV:
      case ACL_RT_HAC_TYPE_PCIEDMA:
      case ACL_RT_HAC_TYPE_SDMA:
        return ACL_RT_HOST_MEM_MAP_SUPPORTED;
      case ACL_RT_HAC_TYPE_RDMA:
      case ACL_RT_HAC_TYPE_DVPP:
      case ACL_RT_HAC_TYPE_UDMA:
      case ACL_RT_HAC_TYPE_CCU:
        return ACL_RT_HOST_MEM_MAP_NOT_SUPPORTED;  // simulated devices have no such engine
    }
    return fail(Errc::invalid_argument, "{} is not one of aclrtHacType",
                static_cast<uint32_t>(hacType));
  });
}

}  // extern "C"
