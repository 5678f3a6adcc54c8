// acl_rt.h, acl_platform.h: what a device is. The figures come from the machine's SoC spec; what
// the spec does not say is 207000.
#include "runtime/api/guard.h"
#include "runtime/core/device_uuid.h"

#include "acl/acl_platform.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

Result<const topology::Npu*> npu(int64_t device) {
  if (device > INT32_MAX) {
    return fail(Errc::bad_device, "device {} does not exist: there are at most {}", device,
                kMaxDevices);
  }
  CANOPY_ASSIGN(const Driver* driver, runtime().driver());
  CANOPY_TRY(driver->check_device(static_cast<int>(device)));
  return &driver->machine().npu(static_cast<int>(device));
}

// The thread's device, device 0 without one.
Result<const topology::Npu*> npu_of_thread() {
  const auto device = runtime().current_device();
  if (!device) {
    error_text::take_newest();  // no failure of this call
  }
  return npu(device.value_or(0));
}

tl::unexpected<Error> not_in_spec(const topology::Npu& npu, const char* enumeration, int value) {
  return fail(Errc::not_supported, "device {}: the SoC spec says nothing of {} {}", npu.id,
              enumeration, value);
}

Result<int64_t> attribute(const topology::Npu& npu, aclrtDevAttr attribute) {
  switch (attribute) {
    case ACL_DEV_ATTR_AICPU_CORE_NUM:
      return npu.aicpu_cores;
    case ACL_DEV_ATTR_AICORE_CORE_NUM:
    case ACL_DEV_ATTR_CUBE_CORE_NUM:
      return npu.cube_cores;
    case ACL_DEV_ATTR_VECTOR_CORE_NUM:
      return npu.vector_cores;
    case ACL_DEV_ATTR_UBUF_PER_VECTOR_CORE:
      return npu.ub_bytes;
    case ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE:
      return static_cast<int64_t>(npu.hbm_bytes);
    case ACL_DEV_ATTR_L2_CACHE_SIZE:
      return static_cast<int64_t>(npu.l2_bytes);
    case ACL_DEV_ATTR_PHY_CHIP_ID:
      return npu.logical_id();
    case ACL_DEV_ATTR_IS_VIRTUAL:
      return 0;  // never a part of a device
    case ACL_DEV_ATTR_WARP_SIZE:
    case ACL_DEV_ATTR_MAX_THREAD_PER_VECTOR_CORE:
    case ACL_DEV_ATTR_MAX_GRID_DIM_X:
    case ACL_DEV_ATTR_MAX_GRID_DIM_Y:
    case ACL_DEV_ATTR_MAX_GRID_DIM_Z:
    case ACL_DEV_ATTR_MAX_BLOCK_PER_GRID:
    case ACL_DEV_ATTR_MAX_THREADS_PER_BLOCK:
    case ACL_DEV_ATTR_MAX_BLOCK_DIM_X:
    case ACL_DEV_ATTR_MAX_BLOCK_DIM_Y:
    case ACL_DEV_ATTR_MAX_BLOCK_DIM_Z:
    case ACL_DEV_ATTR_SMP_ID:
    case ACL_DEV_ATTR_SUPER_POD_DEVICE_ID:
    case ACL_DEV_ATTR_SUPER_POD_SERVER_ID:
    case ACL_DEV_ATTR_SUPER_POD_ID:
    case ACL_DEV_ATTR_CUST_OP_PRIVILEGE:
    case ACL_DEV_ATTR_MAINBOARD_ID:
    case ACL_DEV_ATTR_HD_CONNECT_TYPE:
    case ACL_DEV_ATTR_DEVICE_FORM_FACTOR:
    case ACL_DEV_ATTR_NPU_ARCH:
      return not_in_spec(npu, "aclrtDevAttr", attribute);
  }
  return fail(Errc::invalid_argument, "attribute {} is not one of aclrtDevAttr",
              static_cast<int>(attribute));
}

Result<std::string> platform_text(const topology::Npu& npu, aclplatformDevInfo info) {
  switch (info) {
    case ACL_PLATFORM_AICORE_CNT:
    case ACL_PLATFORM_CUBE_CORE_CNT:
      return std::to_string(npu.cube_cores);
    case ACL_PLATFORM_VECTOR_CORE_CNT:
      return std::to_string(npu.vector_cores);
    case ACL_PLATFORM_AICORE_UB_SIZE:
      return std::to_string(npu.ub_bytes);
    case ACL_PLATFORM_L2_SIZE:
      return std::to_string(npu.l2_bytes);
    case ACL_PLATFORM_MEMORY_SIZE:
      return std::to_string(npu.hbm_bytes);
    case ACL_PLATFORM_SOC_VERSION:
      return npu.soc;
    case ACL_PLATFORM_CUBE_FREQ:
    case ACL_PLATFORM_VEC_FREQ:
    case ACL_PLATFORM_BT_SIZE:
    case ACL_PLATFORM_L0_A_SIZE:
    case ACL_PLATFORM_L0_B_SIZE:
    case ACL_PLATFORM_L0_C_SIZE:
    case ACL_PLATFORM_L1_SIZE:
    case ACL_PLATFORM_AIC_VERSION:
    case ACL_PLATFORM_NPU_ARCH:
    case ACL_PLATFORM_MEMORY_TYPE:
      return not_in_spec(npu, "aclplatformDevInfo", info);
  }
  return fail(Errc::invalid_argument, "information {} is not one of aclplatformDevInfo",
              static_cast<int>(info));
}

uint64_t topology_flag(topology::LinkClass link) {
  switch (link) {
    case topology::LinkClass::sio:
      return ACL_RT_DEVS_TOPOLOGY_SIO;
    case topology::LinkClass::hccs:
      return ACL_RT_DEVS_TOPOLOGY_HCCS;
    case topology::LinkClass::hccs_switch:
      return ACL_RT_DEVS_TOPOLOGY_HCCS_SW;
    case topology::LinkClass::pix:
      return ACL_RT_DEVS_TOPOLOGY_PIX;
    case topology::LinkClass::phb:
      return ACL_RT_DEVS_TOPOLOGY_PHB;
    case topology::LinkClass::sys:
      return ACL_RT_DEVS_TOPOLOGY_SYS;
    case topology::LinkClass::self:
    case topology::LinkClass::none:
      break;
  }
  return 0;
}

// Text with its end into `bytes` bytes, or nothing.
Result<> put(const char* function, const std::string& text, char* out, size_t bytes) {
  if (bytes <= text.size()) {
    return fail(Errc::invalid_argument, "{}: '{}' takes {} bytes, the buffer has {}", function,
                text, text.size() + 1, bytes);
  }
  std::memcpy(out, text.c_str(), text.size() + 1);
  return {};
}

}  // namespace

extern "C" {

aclError aclrtGetDeviceInfo(uint32_t deviceId, aclrtDevAttr attr, int64_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard_into(value, [&]() -> Result<int64_t> {
    CANOPY_ASSIGN(const auto* device, npu(deviceId));
    return attribute(*device, attr);
  });
}

aclError aclGetDeviceCapability(uint32_t deviceId, aclDeviceInfo deviceInfo, int64_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard_into(value, [&]() -> Result<int64_t> {
    CANOPY_ASSIGN(const auto* device, npu(deviceId));
    switch (deviceInfo) {
      case ACL_DEVICE_INFO_AI_CORE_NUM:
        return device->cube_cores;
      case ACL_DEVICE_INFO_VECTOR_CORE_NUM:
        return device->vector_cores;
      case ACL_DEVICE_INFO_L2_SIZE:
        return static_cast<int64_t>(device->l2_bytes);
      case ACL_DEVICE_INFO_UNDEFINED:
        break;
    }
    return fail(Errc::invalid_argument, "information {} is not one of aclDeviceInfo",
                static_cast<int>(deviceInfo));
  });
}

aclError aclrtGetDeviceCapability(int32_t deviceId, aclrtDevFeatureType devFeatureType,
                                  int32_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard_into(value, [&]() -> Result<int32_t> {
    CANOPY_TRY(npu(deviceId));
    switch (devFeatureType) {
      case ACL_FEATURE_TSCPU_TASK_UPDATE_SUPPORT_AIC_AIV:
      case ACL_FEATURE_SYSTEM_MEMQ_EVENT_CROSS_DEV:
        return ACL_DEV_FEATURE_NOT_SUPPORT;
    }
    return fail(Errc::invalid_argument, "feature {} is not one of aclrtDevFeatureType",
                static_cast<int>(devFeatureType));
  });
}

aclError aclrtQueryDeviceStatus(int32_t deviceId, aclrtDeviceStatus* deviceStatus) {
  CANOPY_ACL_NOT_NULL(deviceStatus);
  return guard_into(deviceStatus, [&] {
    // A fault of a task is the task's; a simulated device has those that canopy smi injects.
    return npu(deviceId).and_then([](const topology::Npu* device) {
      return runtime().driver().map([&](const Driver* driver) {
        return driver->reports().lost(device->id) ? ACL_RT_DEVICE_STATUS_ABNORMAL : ACL_RT_DEVICE_STATUS_NORMAL;
      });
    });
  });
}

aclError aclrtDeviceGetUuid(int32_t deviceId, aclrtUuid* uuid) {
  CANOPY_ACL_NOT_NULL(uuid);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const auto* device, npu(deviceId));
    static_assert(sizeof(DeviceUuid) == sizeof uuid->bytes);
    const DeviceUuid id = device_uuid(*device);
    std::memcpy(uuid->bytes, id.data(), id.size());
    return {};
  });
}

aclError aclrtDeviceGetPCIBusId(int32_t deviceId, char* pciBusId, int32_t len) {
  CANOPY_ACL_NOT_NULL(pciBusId);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const auto* device, npu(deviceId));
    return put("aclrtDeviceGetPCIBusId", device->pci_bus_id, pciBusId,
               static_cast<size_t>(std::max(len, 0)));
  });
}

aclError aclrtDeviceGetByPCIBusId(const char* pciBusId, int32_t* deviceId) {
  CANOPY_ACL_NOT_NULL(pciBusId);
  CANOPY_ACL_NOT_NULL(deviceId);
  return guard_into(deviceId, [&]() -> Result<int32_t> {
    CANOPY_ASSIGN(const Driver* driver, runtime().driver());
    const topology::Machine& machine = driver->machine();
    for (int id = 0; id < machine.count(); ++id) {
      if (machine.npu(id).pci_bus_id == pciBusId) {
        return id;
      }
    }
    return fail(Errc::bad_device, "no device of the machine '{}' has the PCI bus id '{}'",
                machine.name(), pciBusId);
  });
}

const char* aclrtGetSocName(void) {
  const char* name = nullptr;
  guard(
      [&] { return npu_of_thread().map([&](const auto* device) { name = device->soc.c_str(); }); });
  return name;
}

aclError aclrtDeviceGetBareTgid(int32_t* pid) {
  CANOPY_ACL_NOT_NULL(pid);
  return guard_into(pid, []() -> Result<int32_t> { return ::getpid(); });
}

aclError aclrtGetDevicesTopo(uint32_t deviceId, uint32_t otherDeviceId, uint64_t* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard_into(value, [&]() -> Result<uint64_t> {
    CANOPY_ASSIGN(const auto* device, npu(deviceId));
    CANOPY_ASSIGN(const auto* other, npu(otherDeviceId));
    if (device == other) {
      return fail(Errc::invalid_argument, "aclrtGetDevicesTopo: device {} twice", deviceId);
    }
    CANOPY_ASSIGN(const Driver* driver, runtime().driver());
    return topology_flag(driver->machine().link(device->id, other->id).link_class);
  });
}

aclError aclrtCheckArchCompatibility(const char* socVersion, int32_t* canCompatible) {
  CANOPY_ACL_NOT_NULL(socVersion);
  CANOPY_ACL_NOT_NULL(canCompatible);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const Driver* driver, runtime().driver());
    const topology::Machine& machine = driver->machine();
    *canCompatible = 0;
    for (int id = 0; id < machine.count(); ++id) {
      if (machine.npu(id).soc == socVersion) {
        *canCompatible = 1;
      }
    }
    return {};
  });
}

aclError aclplatformGetDeviceInfo(aclplatformDevInfo infoType, char* value, uint32_t maxLen) {
  CANOPY_ACL_NOT_NULL(value);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const auto* device, npu_of_thread());
    CANOPY_ASSIGN(const std::string text, platform_text(*device, infoType));
    return put("aclplatformGetDeviceInfo", text, value, maxLen);
  });
}

}  // extern "C"
