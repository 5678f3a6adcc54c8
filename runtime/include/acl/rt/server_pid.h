/* Processes of another host, for whitelists. Compiles as C11 and C++. */
#ifndef ACL_RT_SERVER_PID_H
#define ACL_RT_SERVER_PID_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aclrtServerPid {
  uint32_t sdid; /* of the host's device in the pod: ACL_DEV_ATTR_SUPER_POD_DEVICE_ID */
  int32_t* pid;
  size_t num;
} aclrtServerPid;

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_SERVER_PID_H */
