/* Where memory lies. Compiles as C11 and C++. */
#ifndef ACL_RT_MEMORY_LOCATION_H
#define ACL_RT_MEMORY_LOCATION_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum aclrtMemLocationType {
  ACL_MEM_LOCATION_TYPE_HOST = 0,
  ACL_MEM_LOCATION_TYPE_DEVICE = 1,
  ACL_MEM_LOCATION_TYPE_UNREGISTERED = 2,
  ACL_MEM_LOCATION_TYPE_MANAGED = 3,
  ACL_MEM_LOCATION_TYPE_HOST_NUMA = 4
} aclrtMemLocationType;

typedef struct aclrtMemLocation {
  uint32_t id; /* of the device or NUMA node */
  aclrtMemLocationType type;
} aclrtMemLocation;

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_MEMORY_LOCATION_H */
