/* Arguments of a kernel, put together one by one: at most 128, in the order of its parameters and
 * of their sizes. They go with the binary of their kernel. Errors of misuse: 107000; of handles
 * that are none: 107017. Compiles as C11 and C++. */
#ifndef ACL_RT_KERNEL_ARGS_H
#define ACL_RT_KERNEL_ARGS_H

#include "acl/acl_base_rt.h"
#include "acl/rt/binary.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void* aclrtArgsHandle;
typedef void* aclrtParamHandle;

/* Empty arguments, in memory of the runtime; may be launched many times. */
ACL_FUNC_VISIBILITY aclError aclrtKernelArgsInit(aclrtFuncHandle funcHandle,
                                                 aclrtArgsHandle* argsHandle);
/* The same in memory of the caller, of the sizes that the two queries give. */
ACL_FUNC_VISIBILITY aclError aclrtKernelArgsInitByUserMem(aclrtFuncHandle funcHandle,
                                                          aclrtArgsHandle argsHandle,
                                                          void* userHostMem, size_t actualArgsSize);
/* For `userArgsSize` bytes of arguments. */
ACL_FUNC_VISIBILITY aclError aclrtKernelArgsGetMemSize(aclrtFuncHandle funcHandle,
                                                       size_t userArgsSize, size_t* actualArgsSize);
ACL_FUNC_VISIBILITY aclError aclrtKernelArgsGetHandleMemSize(aclrtFuncHandle funcHandle,
                                                             size_t* memSize);
/* Copies the value. */
ACL_FUNC_VISIBILITY aclError aclrtKernelArgsAppend(aclrtArgsHandle argsHandle, void* param,
                                                   size_t paramSize, aclrtParamHandle* paramHandle);
/* A pointer to data that travels with the arguments. */
ACL_FUNC_VISIBILITY aclError aclrtKernelArgsAppendPlaceHolder(aclrtArgsHandle argsHandle,
                                                              aclrtParamHandle* paramHandle);
/* After all appends: where the host writes that data. */
ACL_FUNC_VISIBILITY aclError aclrtKernelArgsGetPlaceHolderBuffer(aclrtArgsHandle argsHandle,
                                                                 aclrtParamHandle paramHandle,
                                                                 size_t dataSize,
                                                                 void** bufferAddr);
/* A new value for an appended parameter, of the same size. */
ACL_FUNC_VISIBILITY aclError aclrtKernelArgsParaUpdate(aclrtArgsHandle argsHandle,
                                                       aclrtParamHandle paramHandle, void* param,
                                                       size_t paramSize);
/* Before the launch, and again after updates. */
ACL_FUNC_VISIBILITY aclError aclrtKernelArgsFinalize(aclrtArgsHandle argsHandle);

#ifdef __cplusplus
}
#endif

#endif /* ACL_RT_KERNEL_ARGS_H */
