/* Models: graphs of tasks, captured (acl/rt/capture.h) or built here, and run as one. Compiles as
 * C11 and C++. */
#ifndef ACL_RT_MODEL_H
#define ACL_RT_MODEL_H

#include "acl/acl_base_rt.h"
#include "acl/rt/host_func.h"
#include "acl/rt/model_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ACL_MDLRI_DEBUG_JSON_PRINT_SUMMARY 0x0UL
#define ACL_MDLRI_DEBUG_JSON_PRINT_VERBOSE 0x1UL

typedef enum aclmdlRICondHandleFlag {
  ACL_MODEL_RI_COND_HANDLE_ASSIGN_DEFAULT = 1
} aclmdlRICondHandleFlag;

typedef enum aclmdlRICondTaskType {
  ACL_MODEL_RI_COND_TYPE_IF = 0,
  ACL_MODEL_RI_COND_TYPE_WHILE = 1,
  ACL_MODEL_RI_COND_TYPE_SWITCH = 2
} aclmdlRICondTaskType;

typedef void* aclmdlRICondHandle;
typedef struct aclmdlRICondTaskParams {
  aclmdlRICondHandle handle;
  aclmdlRICondTaskType type;
  uint32_t size;          /* how many parts */
  aclmdlRI* modelRIArray; /* out: the parts, to be captured into */
} aclmdlRICondTaskParams;

/* ---- Running. */

/* In stream order, as one task. May be queued again while it runs; the runs follow each other. */
ACL_FUNC_VISIBILITY aclError aclmdlRIExecuteAsync(aclmdlRI modelRI, aclrtStream stream);
/* Complete on return; waits at most `timeout` ms (then 507046, and the run goes on), -1 no limit.
 * Error: the code of the first task that failed; 507011 the model is not built. */
ACL_FUNC_VISIBILITY aclError aclmdlRIExecute(aclmdlRI modelRI, int32_t timeout);
/* Ends the run, and those in line: who waits gets 507023. Models that were built only. */
ACL_FUNC_VISIBILITY aclError aclmdlRIAbort(aclmdlRI modelRI);
/* Unbinds its streams. Error: 107037 it runs. */
ACL_FUNC_VISIBILITY aclError aclmdlRIDestroy(aclmdlRI modelRI);
/* Runs func(userData) when the model is destroyed. */
ACL_FUNC_VISIBILITY aclError aclmdlRIDestroyRegisterCallback(aclmdlRI modelRI, aclrtCallback func,
                                                             void* userData);
ACL_FUNC_VISIBILITY aclError aclmdlRIDestroyUnregisterCallback(aclmdlRI modelRI,
                                                               aclrtCallback func);

/* ---- What it is. */

ACL_FUNC_VISIBILITY aclError aclmdlRISetName(aclmdlRI modelRI, const char* name);
/* At most `maxLen` bytes with the end; "" when it has none. */
ACL_FUNC_VISIBILITY aclError aclmdlRIGetName(aclmdlRI modelRI, uint32_t maxLen, char* name);
ACL_FUNC_VISIBILITY aclError aclmdlRIGetId(aclmdlRI modelRI, uint32_t* modelRIId);
/* Writes the tasks as a timeline in JSON; VERBOSE adds the kernels' arguments. */
ACL_FUNC_VISIBILITY aclError aclmdlRIDebugJsonPrint(aclmdlRI modelRI, const char* path,
                                                    uint32_t flags);
/* To the log. Deprecated. */
ACL_FUNC_VISIBILITY aclError aclmdlRIDebugPrint(aclmdlRI modelRI);

/* ---- Building. */

/* `flag` is 0. */
ACL_FUNC_VISIBILITY aclError aclmdlRIBuildBegin(aclmdlRI* modelRI, uint32_t flag);
/* A stream with ACL_STREAM_PERSISTENT. `flag` 0: it starts with the model; 0x7FFFFFFF:
 * aclrtActiveStream starts it. */
ACL_FUNC_VISIBILITY aclError aclmdlRIBindStream(aclmdlRI modelRI, aclrtStream stream,
                                                uint32_t flag);
/* The last task of `stream`: the model has run. */
ACL_FUNC_VISIBILITY aclError aclmdlRIEndTask(aclmdlRI modelRI, aclrtStream stream);
/* `reserve` is NULL. */
ACL_FUNC_VISIBILITY aclError aclmdlRIBuildEnd(aclmdlRI modelRI, void* reserve);
ACL_FUNC_VISIBILITY aclError aclmdlRIUnbindStream(aclmdlRI modelRI, aclrtStream stream);

/* ---- Conditional tasks: parts of a model that run, run again or do not, by an 8-byte word of
 * device memory. */

/* While the model is captured. With ASSIGN_DEFAULT each run starts from the default. */
ACL_FUNC_VISIBILITY aclError aclmdlRICondHandleCreate(aclmdlRI modelRI, uint32_t defaultLaunchValue,
                                                      aclmdlRICondHandleFlag flag,
                                                      aclmdlRICondHandle* handle);
ACL_FUNC_VISIBILITY aclError aclmdlRICondHandleGetCondPtr(aclmdlRICondHandle handle,
                                                          uint64_t** ptr);
/* IF: one or two parts (then, else); WHILE: one; SWITCH: by number. `flags` is 0. */
ACL_FUNC_VISIBILITY aclError aclmdlRIAddCondTask(aclmdlRICondTaskParams params, aclrtStream stream,
                                                 uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_MODEL_H */
