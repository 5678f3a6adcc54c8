#include "runtime/api/advice.h"

#include "acl/acl_base_rt.h"

#include <algorithm>
#include <iterator>

namespace canopy::acl {
namespace {

constexpr Advice kAdvice[] = {
    {ACL_ERROR_INVALID_PARAM, "an argument is NULL, 0 or names a file that cannot be read",
     "check the argument named above"},
    {ACL_ERROR_REPEAT_INITIALIZE, "another part of the program has called aclInit before",
     "go on: the call counts, and aclFinalizeReference undoes it"},
    {ACL_ERROR_PARSE_FILE, "the configuration is not what aclInit expects",
     "correct the file, or pass NULL"},
    {ACL_ERROR_KERNEL_NOT_FOUND,
     "the kernel is not in this binary, or CANOPY_KERNEL does not name it",
     "compare the name with the binary's source"},
    {ACL_ERROR_REPEAT_FINALIZE, "aclFinalize without aclInit, or more often than it",
     "drop the call"},
    {ACL_ERROR_BAD_ALLOC, "the host is out of memory",
     "free host memory, or raise the limit of the cgroup"},
    {ACL_ERROR_RT_PARAM_INVALID, "an argument is outside of what the function takes",
     "check the value named above"},
    {ACL_ERROR_RT_INVALID_DEVICEID, "the machine has fewer devices",
     "ask aclrtGetDeviceCount; CANOPY_SOC_SPEC decides the machine"},
    {ACL_ERROR_RT_CONTEXT_NULL, "the thread has chosen no device: each thread does that for itself",
     "call aclrtSetDevice or aclrtSetCurrentContext in this thread"},
    {ACL_ERROR_RT_STREAM_CONTEXT, "the stream belongs to another context than the current one",
     "make its context current with aclrtSetCurrentContext"},
    {ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID,
     "the event's record has not completed, or takes no time stamp", "synchronise the event first"},
    {ACL_ERROR_RT_FILE_OPEN, "the file is missing, may not be read, or is no loadable binary",
     "check the path and how the binary was linked"},
    {ACL_ERROR_RT_INVALID_HANDLE, "the object was destroyed, or went with its device or context",
     "look for a destroy, reset or finalize before this call"},
    {ACL_ERROR_RT_WAIT_TIMEOUT, "what the call waits for did not happen in time",
     "look for who should have done it"},
    {ACL_ERROR_RT_TASK_TIMEOUT, "what the stream waits for did not happen within the wait's limit",
     "look for who should have recorded it, or raise the limit"},
    {ACL_ERROR_RT_STREAM_MODEL, "the stream is not bound to a model, or is when it must not be",
     "bind it with aclmdlRIBindStream first"},
    {ACL_ERROR_RT_STREAM_NOT_CAPTURED, "the flag is for streams whose tasks go to a graph",
     "pass the default flag, or begin a capture first"},
    {ACL_ERROR_RT_SYSPARAMOPT_NOT_SET, "the current context has no value of its own",
     "set it with aclrtCtxSetSysParamOpt, or ask aclrtGetSysParamOpt"},
    {ACL_ERROR_RT_INVALID_DEVICE_FUNCTION, "the address is no kernel of this program",
     "register the kernel with CANOPY_KERNEL in the program itself"},
    {ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "this build or this machine does not have it",
     "see `canopy info --api` for functions, `canopy topo` for links"},
    {ACL_ERROR_RT_MEMORY_ALLOCATION, "the device is full, of this process or of others",
     "free memory; `canopy topo` tells the size, CANOPY_SOC_SPEC decides it"},
    {ACL_ERROR_RT_NO_DEVICE, "the machine has no devices", "check CANOPY_SOC_SPEC"},
    {ACL_ERROR_RT_RESOURCE_ALLOC_FAIL, "too many objects of this kind are alive",
     "destroy those that are not used"},
    {ACL_ERROR_RT_NO_PERMISSION,
     "peer access is not enabled, or the exporter does not list this process",
     "call aclrtDeviceEnablePeerAccess, or have the exporter list this process"},
    {ACL_ERROR_RT_NO_EVENT_RESOURCE, "too many events are alive",
     "destroy events that are not used"},
    {ACL_ERROR_RT_NO_NOTIFY_RESOURCE, "too many notifies are alive",
     "destroy notifies that are not used"},
    {ACL_ERROR_RT_NO_STREAM_RESOURCE, "too many streams are alive",
     "destroy streams that are not used"},
    {ACL_ERROR_RT_INTERNAL_ERROR, "an event was never recorded, or the runtime is at fault",
     "if no event is involved, report it with CANOPY_LOG=debug"},
    {ACL_ERROR_RT_CONTEXT_RELEASE_ERROR, "more resets than aclrtSetDevice calls", "pair the calls"},
    {ACL_ERROR_RT_SYS_DMA,
     "memory was freed before the stream got to it, or an address that lies in memory is wrong",
     "free memory only after its stream has been synchronised"},
    {ACL_ERROR_RT_AICORE_TIMEOUT, "a kernel ran past its time limit",
     "look for an endless loop or wait in it"},
    {ACL_ERROR_RT_VECTOR_CORE_TIMEOUT, "a kernel ran past its time limit",
     "look for an endless loop or wait in it"},
    {ACL_ERROR_RT_AICORE_EXCEPTION, "a kernel faulted: a wrong address or operand",
     "check its arguments and sizes"},
    {ACL_ERROR_RT_VECTOR_CORE_EXCEPTION, "a kernel faulted: a wrong address or operand",
     "check its arguments and sizes"},
    {ACL_ERROR_RT_AICORE_TRAP_EXCEPTION, "a kernel ended itself: canopy_assert",
     "see the assertion in the log"},
    {ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION, "a kernel ended itself: canopy_assert",
     "see the assertion in the log"},
    {ACL_ERROR_RT_KERNEL_UNREGISTERING, "the binary is still in use",
     "synchronise the streams first"},
    {ACL_ERROR_RT_KERNEL_LOOKUP, "the binary holds no kernel",
     "register its kernels with CANOPY_KERNEL"},
    {ACL_ERROR_RT_LABEL_CONTEXT, "the label was made in another context than the current one",
     "make its context current with aclrtSetCurrentContext"},
    {ACL_ERROR_RT_DEV_SETUP_ERROR, "the device could not be brought up", "see the log"},
    {ACL_ERROR_RT_STREAM_SYNC_TIMEOUT,
     "work of the stream takes longer, or waits for what does not come",
     "wait longer, or see what the log reports after 60 s"},
    {ACL_ERROR_RT_EVENT_SYNC_TIMEOUT,
     "the event's stream takes longer, or waits for what does not come",
     "wait longer, or look for what the stream waits for"},
    {ACL_ERROR_RT_DRV_INTERNAL_ERROR, "another process that took part has died", "see its log"},
};

}  // namespace

const Advice* advice_for(int code) {
  const auto* found = std::find_if(std::begin(kAdvice), std::end(kAdvice),
                                   [&](const Advice& advice) { return advice.code == code; });
  return found == std::end(kAdvice) ? nullptr : found;
}

}  // namespace canopy::acl
