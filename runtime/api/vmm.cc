// acl_rt.h: addresses, physical memory, and what joins them.
#include "runtime/core/mapped_memory.h"

#include "runtime/api/guard.h"

#include "acl/rt/vmm.h"

#include <vector>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

struct Kind {
  PageKind pages;
  bool on_device;
  bool on_host;
};

Result<Kind> kind_of(aclrtMemAttr attribute) {
  switch (attribute) {
    case ACL_DDR_MEM:
    case ACL_DDR_MEM_HUGE:
    case ACL_DDR_MEM_P2P_HUGE: return Kind{PageKind::huge, false, true};
    case ACL_DDR_MEM_NORMAL:
    case ACL_DDR_MEM_P2P_NORMAL: return Kind{PageKind::normal, false, true};
    case ACL_HBM_MEM:
    case ACL_HBM_MEM_HUGE:
    case ACL_HBM_MEM_P2P_HUGE: return Kind{PageKind::huge, true, false};
    case ACL_HBM_MEM_NORMAL:
    case ACL_HBM_MEM_P2P_NORMAL: return Kind{PageKind::normal, true, false};
    case ACL_HBM_MEM_HUGE1G:
    case ACL_HBM_MEM_P2P_HUGE1G: return Kind{PageKind::huge_1g, true, false};
    case ACL_MEM_NORMAL:
    case ACL_MEM_P2P_NORMAL: return Kind{PageKind::normal, true, true};
    case ACL_MEM_HUGE:
    case ACL_MEM_P2P_HUGE: return Kind{PageKind::huge, true, true};
    case ACL_MEM_HUGE1G:
    case ACL_MEM_P2P_HUGE1G: return Kind{PageKind::huge_1g, true, true};
  }
  return fail(Errc::invalid_argument, "{} is not one of aclrtMemAttr", static_cast<int>(attribute));
}

// Of a place: the device, or kHostMemory.
Result<int> device_of(const aclrtMemLocation& location) {
  switch (location.type) {
    case ACL_MEM_LOCATION_TYPE_DEVICE: {
      CANOPY_ASSIGN(Driver * driver, runtime().driver());
      const int device = static_cast<int>(location.id);  // -1 is said to be -1
      CANOPY_TRY(driver->check_device(device));
      return device;
    }
    case ACL_MEM_LOCATION_TYPE_HOST:
    case ACL_MEM_LOCATION_TYPE_HOST_NUMA: return kHostMemory;
    case ACL_MEM_LOCATION_TYPE_UNREGISTERED:
    case ACL_MEM_LOCATION_TYPE_MANAGED: break;
  }
  return fail(Errc::invalid_argument, "location type {}: that of a device, of the host or of a NUMA node is wanted",
              static_cast<int>(location.type));
}

Result<PhysicalRequest> request_of(const aclrtPhysicalMemProp& prop) {
  if (prop.handleType == ACL_MEM_HANDLE_TYPE_POSIX) {
    return fail(Errc::not_supported, "handleType POSIX: physical memory has handles of type NONE here");
  }
  if (prop.handleType != ACL_MEM_HANDLE_TYPE_NONE || prop.allocationType != ACL_MEM_ALLOCATION_TYPE_PINNED || prop.reserve != 0) {
    return fail(Errc::invalid_argument, "handleType {}, allocationType {}, reserve {}: all must be 0",
                static_cast<int>(prop.handleType), static_cast<int>(prop.allocationType), prop.reserve);
  }
  CANOPY_ASSIGN(const Kind kind, kind_of(prop.memAttr));
  CANOPY_ASSIGN(const int device, device_of(prop.location));
  if (device >= 0 ? !kind.on_device : !kind.on_host) {
    return fail(Errc::invalid_argument, "{} has no memory of kind {} (aclrtMemAttr)", memory_of(device),
                static_cast<int>(prop.memAttr));
  }
  const bool on_node = prop.location.type == ACL_MEM_LOCATION_TYPE_HOST_NUMA;
  return PhysicalRequest{.device = device,
                         .pages = kind.pages,
                         .attribute = prop.memAttr,
                         .numa_node = on_node ? static_cast<int>(prop.location.id) : -1};
}

// Of memory that somebody else has asked for: by its pages.
aclrtMemAttr attribute_of(PageKind pages) {
  return pages == PageKind::normal ? ACL_MEM_NORMAL : pages == PageKind::huge ? ACL_MEM_HUGE : ACL_MEM_HUGE1G;
}

aclrtPhysicalMemProp properties_of(const PhysicalRequest& request) {
  aclrtPhysicalMemProp prop{};
  prop.memAttr = request.attribute < 0 ? attribute_of(request.pages) : static_cast<aclrtMemAttr>(request.attribute);
  if (request.device >= 0) {
    prop.location = {static_cast<uint32_t>(request.device), ACL_MEM_LOCATION_TYPE_DEVICE};
  } else if (request.numa_node >= 0) {
    prop.location = {static_cast<uint32_t>(request.numa_node), ACL_MEM_LOCATION_TYPE_HOST_NUMA};
  } else {
    prop.location = {0, ACL_MEM_LOCATION_TYPE_HOST};
  }
  return prop;
}

aclError reserve(const char* function, void** out, size_t size, size_t alignment, void* wish, uint64_t flags) {
  return guard_into(out, [&]() -> Result<void*> {
    if (flags > HUGE1G_PAGE_TYPE) {
      return fail(Errc::invalid_argument, "{}: flags {}: a kind of page, 0 to {}, is wanted", function, flags,
                  static_cast<int>(HUGE1G_PAGE_TYPE));
    }
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_TRY(runtime().current_context());
    const size_t boundary = MemoryHandles::granularity(static_cast<PageKind>(flags));
    return driver->virtual_memory().reserve(size, alignment == 0 ? boundary : alignment, wish);
  });
}

aclError map(const char* function, void* address, size_t size, size_t offset, aclrtDrvMemHandle handle, uint64_t flags,
             bool granted) {
  return guard([&]() -> Result<> {
    if (offset != 0 || flags != 0) {
      return fail(Errc::invalid_argument, "{}: offset {}, flags {}: both must be 0", function, offset, flags);
    }
    return map_memory(runtime(), address, size, handle, granted);
  });
}

Result<Access> access_of(aclrtMemAccessFlags flags) {
  switch (flags) {
    case ACL_RT_MEM_ACCESS_FLAGS_NONE: return Access::none;
    case ACL_RT_MEM_ACCESS_FLAGS_READ: return Access::read;
    case ACL_RT_MEM_ACCESS_FLAGS_READWRITE: return Access::read_write;
  }
  return fail(Errc::invalid_argument, "{} is not one of aclrtMemAccessFlags", static_cast<int>(flags));
}

}  // namespace

extern "C" {

aclError aclrtReserveMemAddress(void** virPtr, size_t size, size_t alignment, void* expectPtr, uint64_t flags) {
  CANOPY_ACL_NOT_NULL(virPtr);
  return reserve(__func__, virPtr, size, alignment, expectPtr, flags);
}

// One coherent memory: nothing is uncached.
aclError aclrtReserveMemAddressNoUCMemory(void** virPtr, size_t size, size_t alignment, void* expectPtr, uint64_t flags) {
  CANOPY_ACL_NOT_NULL(virPtr);
  return reserve(__func__, virPtr, size, alignment, expectPtr, flags);
}

aclError aclrtReleaseMemAddress(void* virPtr) {
  CANOPY_ACL_NOT_NULL(virPtr);
  return guard([&] { return runtime().driver().and_then([&](Driver* driver) { return driver->virtual_memory().release(virPtr); }); });
}

aclError aclrtMallocPhysical(aclrtDrvMemHandle* handle, size_t size, const aclrtPhysicalMemProp* prop, uint64_t flags) {
  CANOPY_ACL_NOT_NULL(handle);
  CANOPY_ACL_NOT_NULL(prop);
  return guard_into(handle, [&]() -> Result<void*> {
    if (flags != 0) {
      return fail(Errc::invalid_argument, "aclrtMallocPhysical: flags must be 0, not {}", flags);
    }
    CANOPY_ASSIGN(PhysicalRequest request, request_of(*prop));
    request.bytes = size;
    return runtime().memory_handles().create(request);
  });
}

aclError aclrtFreePhysical(aclrtDrvMemHandle handle) {
  CANOPY_ACL_NOT_NULL(handle);
  return guard([&] { return runtime().memory_handles().release(handle); });
}

aclError aclrtMemGetAllocationGranularity(aclrtPhysicalMemProp* prop, aclrtMemGranularityOptions option, size_t* granularity) {
  CANOPY_ACL_NOT_NULL(prop);
  CANOPY_ACL_NOT_NULL(granularity);
  return guard_into(granularity, [&]() -> Result<size_t> {
    if (option != ACL_RT_MEM_ALLOC_GRANULARITY_MINIMUM && option != ACL_RT_MEM_ALLOC_GRANULARITY_RECOMMENDED) {
      return fail(Errc::invalid_argument, "{} is no granularity: the minimum (0) or the recommended one (1) is wanted",
                  static_cast<int>(option));
    }
    CANOPY_ASSIGN(const PhysicalRequest request, request_of(*prop));
    return MemoryHandles::granularity(request.pages);
  });
}

aclError aclrtMemRetainAllocationHandle(void* virPtr, aclrtDrvMemHandle* handle) {
  CANOPY_ACL_NOT_NULL(virPtr);
  CANOPY_ACL_NOT_NULL(handle);
  return guard_into(handle, [&] { return runtime().memory_handles().retain(virPtr); });
}

aclError aclrtMemGetAllocationPropertiesFromHandle(aclrtDrvMemHandle handle, aclrtPhysicalMemProp* prop) {
  CANOPY_ACL_NOT_NULL(handle);
  CANOPY_ACL_NOT_NULL(prop);
  return guard_into(prop, [&] { return runtime().memory_handles().properties(handle).map(properties_of); });
}

aclError aclrtMapMem(void* virPtr, size_t size, size_t offset, aclrtDrvMemHandle handle, uint64_t flags) {
  CANOPY_ACL_NOT_NULL(virPtr);
  CANOPY_ACL_NOT_NULL(handle);
  return map(__func__, virPtr, size, offset, handle, flags, true);
}

aclError aclrtMemMapNoAccess(void* virPtr, size_t size, size_t offset, aclrtDrvMemHandle handle, uint64_t flags) {
  CANOPY_ACL_NOT_NULL(virPtr);
  CANOPY_ACL_NOT_NULL(handle);
  return map(__func__, virPtr, size, offset, handle, flags, false);
}

aclError aclrtUnmapMem(void* virPtr) {
  CANOPY_ACL_NOT_NULL(virPtr);
  return guard([&] { return unmap_memory(runtime(), virPtr); });
}

aclError aclrtMemSetAccess(void* virPtr, size_t size, aclrtMemAccessDesc* desc, size_t count) {
  CANOPY_ACL_NOT_NULL(virPtr);
  CANOPY_ACL_NOT_NULL(desc);
  return guard([&]() -> Result<> {
    if (count == 0) {
      return fail(Errc::invalid_argument, "aclrtMemSetAccess: 0 descriptions; at least one is wanted");
    }
    CANOPY_TRY(acl::check_count("aclrtMemSetAccess", count, kMaxDevices, "descriptions, one per device"));
    std::vector<Grant> grants;
    for (size_t i = 0; i < count; ++i) {
      CANOPY_ASSIGN(const Access access, access_of(desc[i].flags));
      CANOPY_ASSIGN(const int device, device_of(desc[i].location));
      grants.push_back({device, access});
    }
    return set_access(runtime(), virPtr, size, grants);
  });
}

aclError aclrtMemGetAccess(void* virPtr, aclrtMemLocation* location, uint64_t* flag) {
  CANOPY_ACL_NOT_NULL(virPtr);
  CANOPY_ACL_NOT_NULL(location);
  CANOPY_ACL_NOT_NULL(flag);
  return guard_into(flag, [&]() -> Result<uint64_t> {
    CANOPY_ASSIGN(const int device, device_of(*location));
    return get_access(runtime(), virPtr, device).map([](Access access) { return static_cast<uint64_t>(access); });
  });
}

// All links of a device are one path here: which of them it is changes nothing.
aclError aclrtMemMapSelectedLink(void* virPtrDst, size_t size, void* virPtrSrc, uint32_t linkIdx) {
  CANOPY_ACL_NOT_NULL(virPtrDst);
  CANOPY_ACL_NOT_NULL(virPtrSrc);
  return guard([&]() -> Result<> {
    if (linkIdx != ACL_RT_MEM_LINK_IDX_0 && linkIdx != ACL_RT_MEM_LINK_IDX_1) {
      return fail(Errc::invalid_argument, "aclrtMemMapSelectedLink: link {}: 0 or 1 is wanted", linkIdx);
    }
    return map_again(runtime(), virPtrDst, size, virPtrSrc);
  });
}

// As above.
aclError aclrtMemMapSetLink(aclrtDrvMemHandle handle, aclrtMemLinkType adviceLink) {
  CANOPY_ACL_NOT_NULL(handle);
  return guard([&]() -> Result<> {
    CANOPY_TRY(runtime().memory_handles().properties(handle));
    switch (adviceLink) {
      case ACL_RT_MEM_ACCESS_LINK_SIO:
      case ACL_RT_MEM_ACCESS_LINK_HCCS: return {};
      case ACL_RT_MEM_ACCESS_UB_ONE_PORT_PATH:
      case ACL_RT_MEM_ACCESS_UB_MULTI_PORT_PATH:
        return fail(Errc::not_supported, "aclrtMemMapSetLink: the devices of this machine have no UB ports (link {})",
                    static_cast<int>(adviceLink));
    }
    return fail(Errc::invalid_argument, "{} is not one of aclrtMemLinkType", static_cast<int>(adviceLink));
  });
}

}  // extern "C"
