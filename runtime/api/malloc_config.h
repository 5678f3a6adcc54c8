// What an aclrtMallocConfig asks for.
#pragma once

#include "runtime/api/guard.h"

namespace canopy::acl {

struct MallocConfig {
  int device = -1;  // -1: the thread's

  // NULL asks for nothing. The module id tells tools apart who allocated; there are none here that
  // ask. All addresses are the same for host and devices, which is what VA_FLAG 1 wants and VA_FLAG
  // 0 does not exclude.
  static Result<MallocConfig> read(const aclrtMallocConfig* config) {
    MallocConfig read;
    if (config == nullptr) {
      return read;
    }
    if (config->attrs == nullptr && config->numAttrs != 0) {
      return fail(Errc::invalid_argument, "cfg: {} attributes without an array", config->numAttrs);
    }
    CANOPY_TRY(check_count("cfg", config->numAttrs, kMostSettings, "attributes"));
    for (size_t i = 0; i < config->numAttrs; ++i) {
      const aclrtMallocAttribute& attribute = config->attrs[i];
      switch (attribute.attr) {
        case ACL_RT_MEM_ATTR_RSV:
        case ACL_RT_MEM_ATTR_MODULE_ID:
          continue;
        case ACL_RT_MEM_ATTR_DEVICE_ID:
          if (attribute.value.deviceId >= static_cast<uint32_t>(kMaxDevices)) {
            return fail(Errc::bad_device, "cfg: device {} does not exist",
                        static_cast<int>(attribute.value.deviceId));  // -1 is said to be -1
          }
          read.device = static_cast<int>(attribute.value.deviceId);
          continue;
        case ACL_RT_MEM_ATTR_VA_FLAG:
          if (attribute.value.vaFlag > 1) {
            return fail(Errc::invalid_argument, "cfg: vaFlag is {}, it must be 0 or 1",
                        attribute.value.vaFlag);
          }
          continue;
      }
      return fail(Errc::invalid_argument, "cfg: {} is not one of aclrtMallocAttrType",
                  static_cast<uint32_t>(attribute.attr));
    }
    return read;
  }
};

}  // namespace canopy::acl
