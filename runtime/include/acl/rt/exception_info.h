/* What a callback is told about a task that failed; read with the functions of acl/rt/error.h.
 * Compiles as C11 and C++. */
#ifndef ACL_RT_EXCEPTION_INFO_H
#define ACL_RT_EXCEPTION_INFO_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rtExceptionInfo aclrtExceptionInfo;
typedef void (*aclrtExceptionInfoCallback)(aclrtExceptionInfo* exceptionInfo);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_EXCEPTION_INFO_H */
