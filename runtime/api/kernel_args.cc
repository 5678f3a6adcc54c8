// acl_rt.h: arguments of kernels, put together one by one.
#include "runtime/core/kernel_args.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

// What aclrtKernelArgsInitByUserMem asks of its caller for the handle: its address is the handle,
// and nothing is written there.
constexpr size_t kHandleBytes = 8;

Result<const KernelImage*> kernel_of(aclrtFuncHandle handle) {
  if (const Function* found = runtime().find_function(handle)) {
    return found->image;
  }
  return fail(Errc::bad_handle, "{} is not a live function handle", fmt::ptr(handle));
}

Result<KernelArgs*> args_of(aclrtArgsHandle handle) { return runtime().kernel_args().find(handle); }

}  // namespace

extern "C" {

aclError aclrtKernelArgsInit(aclrtFuncHandle funcHandle, aclrtArgsHandle* argsHandle) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  CANOPY_ACL_NOT_NULL(argsHandle);
  return guard_into(argsHandle, [&] {
    return kernel_of(funcHandle).and_then([&](const KernelImage* image) {
      return runtime().kernel_args().make(funcHandle, *image);
    });
  });
}

aclError aclrtKernelArgsInitByUserMem(aclrtFuncHandle funcHandle, aclrtArgsHandle argsHandle,
                                      void* userHostMem, size_t actualArgsSize) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  CANOPY_ACL_NOT_NULL(argsHandle);
  CANOPY_ACL_NOT_NULL(userHostMem);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const KernelImage* image, kernel_of(funcHandle));
    return runtime().kernel_args().make_at(argsHandle, funcHandle, *image,
                                           {static_cast<std::byte*>(userHostMem), actualArgsSize});
  });
}

aclError aclrtKernelArgsGetMemSize(aclrtFuncHandle funcHandle, size_t userArgsSize,
                                   size_t* actualArgsSize) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  CANOPY_ACL_NOT_NULL(actualArgsSize);
  return guard_into(actualArgsSize, [&]() -> Result<size_t> {
    CANOPY_TRY(kernel_of(funcHandle));
    if (userArgsSize > ~size_t{0} - KernelArgs::memory_for(0)) {
      return fail(Errc::out_of_range, "aclrtKernelArgsGetMemSize: {} bytes of arguments",
                  userArgsSize);
    }
    return KernelArgs::memory_for(userArgsSize);
  });
}

aclError aclrtKernelArgsGetHandleMemSize(aclrtFuncHandle funcHandle, size_t* memSize) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  CANOPY_ACL_NOT_NULL(memSize);
  return guard_into(memSize,
                    [&] { return kernel_of(funcHandle).map([](auto) { return kHandleBytes; }); });
}

aclError aclrtKernelArgsAppend(aclrtArgsHandle argsHandle, void* param, size_t paramSize,
                               aclrtParamHandle* paramHandle) {
  CANOPY_ACL_NOT_NULL(argsHandle);
  CANOPY_ACL_NOT_NULL(param);
  CANOPY_ACL_NOT_NULL(paramHandle);
  return guard_into(paramHandle, [&] {
    return args_of(argsHandle).and_then([&](KernelArgs* args) {
      return args->append(param, paramSize);
    });
  });
}

aclError aclrtKernelArgsAppendPlaceHolder(aclrtArgsHandle argsHandle,
                                          aclrtParamHandle* paramHandle) {
  CANOPY_ACL_NOT_NULL(argsHandle);
  CANOPY_ACL_NOT_NULL(paramHandle);
  return guard_into(paramHandle, [&] {
    return args_of(argsHandle).and_then([](KernelArgs* args) {
      return args->append_placeholder();
    });
  });
}

aclError aclrtKernelArgsGetPlaceHolderBuffer(aclrtArgsHandle argsHandle,
                                             aclrtParamHandle paramHandle, size_t dataSize,
                                             void** bufferAddr) {
  CANOPY_ACL_NOT_NULL(argsHandle);
  CANOPY_ACL_NOT_NULL(paramHandle);
  CANOPY_ACL_NOT_NULL(bufferAddr);
  return guard_into(bufferAddr, [&] {
    return args_of(argsHandle).and_then([&](KernelArgs* args) {
      return args->placeholder_data(paramHandle, dataSize);
    });
  });
}

aclError aclrtKernelArgsParaUpdate(aclrtArgsHandle argsHandle, aclrtParamHandle paramHandle,
                                   void* param, size_t paramSize) {
  CANOPY_ACL_NOT_NULL(argsHandle);
  CANOPY_ACL_NOT_NULL(paramHandle);
  CANOPY_ACL_NOT_NULL(param);
  return guard([&] {
    return args_of(argsHandle).and_then([&](KernelArgs* args) {
      return args->update(paramHandle, param, paramSize);
    });
  });
}

aclError aclrtKernelArgsFinalize(aclrtArgsHandle argsHandle) {
  CANOPY_ACL_NOT_NULL(argsHandle);
  return guard([&] {
    return args_of(argsHandle).and_then([](KernelArgs* args) { return args->finish(); });
  });
}

}  // extern "C"
