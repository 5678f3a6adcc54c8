/* Contexts: the streams of one device that belong together. One is current per thread. Compiles as
 * C11 and C++. */
#ifndef ACL_RT_CONTEXT_H
#define ACL_RT_CONTEXT_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes an explicit context with a default stream of its own; it becomes current. */
ACL_FUNC_VISIBILITY aclError aclrtCreateContext(aclrtContext* context, int32_t deviceId);
/* Waits for the context's streams and frees it. The primary context cannot be destroyed
 * (107000). */
ACL_FUNC_VISIBILITY aclError aclrtDestroyContext(aclrtContext context);
/* Also switches the thread's device. */
ACL_FUNC_VISIBILITY aclError aclrtSetCurrentContext(aclrtContext context);
ACL_FUNC_VISIBILITY aclError aclrtGetCurrentContext(aclrtContext* context);
/* A handle like any stream's; it cannot be destroyed. */
ACL_FUNC_VISIBILITY aclError aclrtCtxGetCurrentDefaultStream(aclrtStream* stream);
/* Writes 1 when somebody has set the device, so that its primary context is in use; sets nothing. `flags` is NULL. */
ACL_FUNC_VISIBILITY aclError aclrtGetPrimaryCtxState(int32_t deviceId, uint32_t* flags,
                                                     int32_t* active);
/* Of the current context; wins over aclrtSetSysParamOpt. */
ACL_FUNC_VISIBILITY aclError aclrtCtxSetSysParamOpt(aclSysParamOpt opt, int64_t value);
/* 107021 when it was never set. */
ACL_FUNC_VISIBILITY aclError aclrtCtxGetSysParamOpt(aclSysParamOpt opt, int64_t* value);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_CONTEXT_H */
