// acl_rt.h: what the program is told about tasks that fail.
#include "runtime/api/guard.h"
#include "runtime/core/submitters.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

namespace {

constexpr uint32_t kNone = 0xFFFFFFFF;

const ExceptionInfo* info_of(const aclrtExceptionInfo* info) { return reinterpret_cast<const ExceptionInfo*>(info); }

// read(*info), or kNone and 100000 as the newest error.
template <class Read>
uint32_t number(const char* function, const aclrtExceptionInfo* info, Read&& read) {
  if (info == nullptr) {
    acl::null_argument(function, "info");
    return kNone;
  }
  return read(info_of(info)->fault);
}

}  // namespace

extern "C" {

aclError aclrtSetExceptionInfoCallback(aclrtExceptionInfoCallback callback) {
  return guard([&] { return runtime().exceptions().set_single(callback); });
}

aclError aclrtExceptionInfoCallbackRegister(aclrtExceptionInfoCallback callback) {
  CANOPY_ACL_NOT_NULL(callback);
  return guard([&] { return runtime().exceptions().add(callback); });
}

aclError aclrtExceptionInfoCallbackUnregister(aclrtExceptionInfoCallback callback) {
  CANOPY_ACL_NOT_NULL(callback);
  return guard([&]() -> Result<> {
    if (!runtime().exceptions().remove(callback)) {
      return fail(Errc::invalid_argument, "exception callback {} is not registered", reinterpret_cast<void*>(callback));
    }
    return {};
  });
}

aclError aclrtBinarySetExceptionCallback(aclrtBinHandle binHandle, aclrtOpExceptionCallback callback, void* userData) {
  CANOPY_ACL_NOT_NULL(binHandle);
  return guard([&]() -> Result<> {
    CANOPY_TRY(runtime().binary(binHandle));
    return runtime().exceptions().set_of_binary(binHandle, callback, userData);
  });
}

uint32_t aclrtGetTaskIdFromExceptionInfo(const aclrtExceptionInfo* info) {
  return number(__func__, info, [](const TaskFault& fault) { return static_cast<uint32_t>(fault.task); });
}

uint32_t aclrtGetStreamIdFromExceptionInfo(const aclrtExceptionInfo* info) {
  return number(__func__, info, [](const TaskFault& fault) { return static_cast<uint32_t>(fault.stream); });
}

uint32_t aclrtGetThreadIdFromExceptionInfo(const aclrtExceptionInfo* info) {
  return number(__func__, info, [](const TaskFault& fault) { return thread_of_submitter(fault.submitter); });
}

uint32_t aclrtGetDeviceIdFromExceptionInfo(const aclrtExceptionInfo* info) {
  return number(__func__, info, [](const TaskFault& fault) { return static_cast<uint32_t>(fault.device); });
}

uint32_t aclrtGetErrorCodeFromExceptionInfo(const aclrtExceptionInfo* info) {
  return number(__func__, info, [](const TaskFault& fault) { return static_cast<uint32_t>(acl::code_of_fault(fault.code)); });
}

aclError aclrtGetArgsFromExceptionInfo(const aclrtExceptionInfo* info, void** devArgsPtr, uint32_t* devArgsLen) {
  CANOPY_ACL_NOT_NULL(info);
  CANOPY_ACL_NOT_NULL(devArgsPtr);
  CANOPY_ACL_NOT_NULL(devArgsLen);
  return guard([&]() -> Result<> {
    if (info_of(info)->fault.image == nullptr) {
      return fail(Errc::invalid_argument, "the task that failed is no kernel, it has no arguments");
    }
    *devArgsPtr = const_cast<void*>(info_of(info)->args());
    *devArgsLen = info_of(info)->fault.args_bytes;
    return {};
  });
}

aclError aclrtGetFuncHandleFromExceptionInfo(const aclrtExceptionInfo* info, aclrtFuncHandle* func) {
  CANOPY_ACL_NOT_NULL(info);
  CANOPY_ACL_NOT_NULL(func);
  return guard([&]() -> Result<> {
    if (info_of(info)->function == nullptr) {
      return fail(Errc::invalid_argument, "the task that failed is no kernel with a function handle");
    }
    *func = info_of(info)->function;
    return {};
  });
}

}  // extern "C"
