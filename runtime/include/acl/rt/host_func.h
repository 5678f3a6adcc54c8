/* Functions of the host in stream order. They must not synchronise, allocate or launch. Compiles
 * as C11 and C++. */
#ifndef ACL_RT_HOST_FUNC_H
#define ACL_RT_HOST_FUNC_H

#include "acl/acl_base_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum aclrtCallbackBlockType {
  ACL_CALLBACK_NO_BLOCK = 0,
  ACL_CALLBACK_BLOCK = 1
} aclrtCallbackBlockType;

typedef void (*aclrtCallback)(void* userData);
typedef void (*aclrtHostFunc)(void* args);

/* ---- On a thread of the runtime. */

/* Runs fn(args); the stream waits for its return. */
ACL_FUNC_VISIBILITY aclError aclrtLaunchHostFunc(aclrtStream stream, aclrtHostFunc fn, void* args);

/* ---- On a thread of the user. One stream has one thread; a thread may serve many streams of one
 * device. */

/* `threadId` of pthread_self(); at most 1024 threads. */
ACL_FUNC_VISIBILITY aclError aclrtSubscribeReport(uint64_t threadId, aclrtStream stream);
ACL_FUNC_VISIBILITY aclError aclrtUnSubscribeReport(uint64_t threadId, aclrtStream stream);
/* With ACL_CALLBACK_BLOCK the stream waits for its return. Error: 107015 nobody has subscribed. */
ACL_FUNC_VISIBILITY aclError aclrtLaunchCallback(aclrtCallback fn, void* userData,
                                                 aclrtCallbackBlockType blockType,
                                                 aclrtStream stream);
/* Runs what is due, waiting at most `timeout` ms (-1: no limit). Error: 107019 nothing came. */
ACL_FUNC_VISIBILITY aclError aclrtProcessReport(int32_t timeout);

/* ---- The same for functions of the host inside models. */

ACL_FUNC_VISIBILITY aclError aclrtSubscribeHostFunc(uint64_t hostFuncThreadId,
                                                    aclrtStream exeStream);
ACL_FUNC_VISIBILITY aclError aclrtUnSubscribeHostFunc(uint64_t hostFuncThreadId,
                                                      aclrtStream exeStream);
ACL_FUNC_VISIBILITY aclError aclrtProcessHostFunc(int32_t timeout);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_HOST_FUNC_H */
