// acl_rt.h: what memory there is, and what an address is.
#include "runtime/core/memory.h"

#include "runtime/api/guard.h"

#include <cstring>
#include <vector>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

// Devices here have HBM, and pages of any size come out of the same.
bool kind_exists(aclrtMemAttr attr) {
  switch (attr) {
    case ACL_HBM_MEM:
    case ACL_HBM_MEM_HUGE:
    case ACL_HBM_MEM_NORMAL:
    case ACL_HBM_MEM_P2P_HUGE:
    case ACL_HBM_MEM_P2P_NORMAL:
    case ACL_HBM_MEM_HUGE1G:
    case ACL_HBM_MEM_P2P_HUGE1G:
    case ACL_MEM_NORMAL:
    case ACL_MEM_HUGE:
    case ACL_MEM_HUGE1G:
    case ACL_MEM_P2P_NORMAL:
    case ACL_MEM_P2P_HUGE:
    case ACL_MEM_P2P_HUGE1G:
      return true;
    case ACL_DDR_MEM:
    case ACL_DDR_MEM_HUGE:
    case ACL_DDR_MEM_NORMAL:
    case ACL_DDR_MEM_P2P_HUGE:
    case ACL_DDR_MEM_P2P_NORMAL:
      break;
  }
  return false;
}

aclrtPtrAttributes attributes_of(const std::optional<MemoryRange>& range) {
  aclrtPtrAttributes attributes{};
  if (!range) {
    attributes.location.type = ACL_MEM_LOCATION_TYPE_UNREGISTERED;
    return attributes;
  }
  attributes.pageSize = page_bytes(range->pages);
  switch (range->kind) {
    case MemoryKind::device:
      attributes.location = {static_cast<uint32_t>(range->device), ACL_MEM_LOCATION_TYPE_DEVICE};
      break;
    case MemoryKind::pinned_host:
      attributes.location.type = ACL_MEM_LOCATION_TYPE_HOST;
      break;
    case MemoryKind::managed:
      attributes.location.type = ACL_MEM_LOCATION_TYPE_MANAGED;
      break;
  }
  return attributes;
}

// The memory is coherent with every cache: nothing is left to write back or to drop once the range
// is known to be the device's.
aclError check_coherent_range(const char* function, void* address, size_t size) {
  return guard([&]() -> Result<> {
    if (size == 0) {
      return fail(Errc::invalid_argument, "{}: size must not be 0", function);
    }
    CANOPY_TRY(device_range(runtime(), function, address, size));
    return {};
  });
}

}  // namespace

extern "C" {

aclError aclrtGetMemInfo(aclrtMemAttr attr, size_t* free, size_t* total) {
  CANOPY_ACL_NOT_NULL(free);
  CANOPY_ACL_NOT_NULL(total);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const int device, runtime().current_device());
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_ASSIGN(const auto info, driver->memory_info(device));
    const bool exists = kind_exists(attr);
    *free = exists ? info.first : 0;
    *total = exists ? info.second : 0;
    return {};
  });
}

aclError aclrtGetMemUsageInfo(int32_t deviceId, aclrtMemUsageInfo* memUsageInfo, size_t inputNum,
                              size_t* outputNum) {
  CANOPY_ACL_NOT_NULL(memUsageInfo);
  CANOPY_ACL_NOT_NULL(outputNum);
  return guard([&]() -> Result<> {
    if (inputNum == 0) {
      return fail(Errc::invalid_argument, "{}: inputNum must not be 0", "aclrtGetMemUsageInfo");
    }
    MemoryUse uses[kMemoryComponents];
    CANOPY_ASSIGN(const size_t count, memory_use(runtime(), deviceId, uses, inputNum));
    for (size_t i = 0; i < count; ++i) {
      aclrtMemUsageInfo info{};
      std::strncpy(info.name, uses[i].component, sizeof info.name - 1);
      info.curMemSize = uses[i].bytes;
      info.memPeakSize = uses[i].peak;
      memUsageInfo[i] = info;
    }
    *outputNum = count;
    return {};
  });
}

aclError aclrtMemFlush(void* devPtr, size_t size) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return check_coherent_range(__func__, devPtr, size);
}

aclError aclrtMemInvalidate(void* devPtr, size_t size) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return check_coherent_range(__func__, devPtr, size);
}

aclError aclrtPointerGetAttributes(const void* ptr, aclrtPtrAttributes* attributes) {
  CANOPY_ACL_NOT_NULL(ptr);
  CANOPY_ACL_NOT_NULL(attributes);
  return guard_into(attributes, [&] { return pointer_range(runtime(), ptr).map(attributes_of); });
}

aclError aclrtMemGetAddressRange(void* ptr, void** pbase, size_t* psize) {
  CANOPY_ACL_NOT_NULL(ptr);
  CANOPY_ACL_NOT_NULL(pbase);
  CANOPY_ACL_NOT_NULL(psize);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const auto range, find_allocation(runtime(), ptr));
    if (!range) {
      return fail(Errc::invalid_argument, "{} lies in no live allocation", fmt::ptr(ptr));
    }
    *pbase = range->base;
    *psize = range->bytes;
    return {};
  });
}

aclError aclrtCheckMemType(void** addrList, uint32_t size, uint32_t memType, uint32_t* checkResult,
                           uint32_t reserve) {
  CANOPY_ACL_NOT_NULL(addrList);
  CANOPY_ACL_NOT_NULL(checkResult);
  return guard_into(checkResult, [&]() -> Result<uint32_t> {
    constexpr uint32_t kTypes = ACL_RT_MEM_TYPE_DEV | ACL_RT_MEM_TYPE_DVPP | ACL_RT_MEM_TYPE_RSVD;
    if (size == 0 || reserve != 0 || memType == 0 || (memType & ~kTypes) != 0) {
      return fail(Errc::invalid_argument,
                  "aclrtCheckMemType: size {} must not be 0, reserve {} must be 0, memType {:#x} "
                  "must be an OR of ACL_RT_MEM_TYPE_*",
                  size, reserve, memType);
    }
    for (uint32_t i = 0; i < size; ++i) {
      CANOPY_ASSIGN(const auto range, find_allocation(runtime(), addrList[i]));
      const bool device = range && range->kind == MemoryKind::device;
      if (!device || (memType & ACL_RT_MEM_TYPE_DEV) == 0) {
        return 0u;
      }
    }
    return 1u;
  });
}

}  // extern "C"
