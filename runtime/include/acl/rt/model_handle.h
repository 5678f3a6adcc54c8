/* The handle of a model: a graph of tasks. Compiles as C11 and C++. */
#ifndef ACL_RT_MODEL_HANDLE_H
#define ACL_RT_MODEL_HANDLE_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void* aclmdlRI;

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_MODEL_HANDLE_H */
