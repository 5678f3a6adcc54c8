// acl_rt.h: launches.
#include "runtime/api/guard.h"
#include "runtime/api/launch_config.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

namespace {

// Runs launch(call) with what `cfg` says.
template <class Launch>
Result<> with_config(LaunchCall call, const aclrtLaunchKernelCfg* cfg, Launch&& launch) {
  if (cfg == nullptr) [[likely]] {
    return launch(call);
  }
  CANOPY_ASSIGN(const auto attributes, acl::launch_attributes(cfg));
  call.attributes = attributes ? &*attributes : nullptr;
  return launch(call);
}

aclError function_code(aclError code) {
  return code == ACL_ERROR_KERNEL_NOT_FOUND ? ACL_ERROR_RT_INVALID_DEVICE_FUNCTION : code;
}

}  // namespace

extern "C" {

aclError aclrtLaunchKernel(aclrtFuncHandle funcHandle, uint32_t numBlocks, const void* argsData,
                           size_t argsSize, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  return guard([&] {
    return runtime().launch({funcHandle, numBlocks, stream}, argsData, argsSize);
  });
}

aclError aclrtLaunchKernelV2(aclrtFuncHandle funcHandle, uint32_t numBlocks, const void* argsData,
                             size_t argsSize, aclrtLaunchKernelCfg* cfg, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  return guard([&] {
    return with_config({funcHandle, numBlocks, stream}, cfg, [&](const LaunchCall& call) {
      return runtime().launch(call, argsData, argsSize);
    });
  });
}

aclError aclrtLaunchKernelWithConfig(aclrtFuncHandle funcHandle, uint32_t numBlocks,
                                     aclrtStream stream, aclrtLaunchKernelCfg* cfg,
                                     aclrtArgsHandle argsHandle, void* reserve) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  CANOPY_ACL_NOT_NULL(argsHandle);
  return guard([&]() -> Result<> {
    if (reserve != nullptr) {
      return fail(Errc::invalid_argument,
                  "aclrtLaunchKernelWithConfig: reserve is {}, NULL is wanted", fmt::ptr(reserve));
    }
    return with_config({funcHandle, numBlocks, stream}, cfg, [&](const LaunchCall& call) {
      return runtime().launch_args_handle(call, argsHandle);
    });
  });
}

aclError aclrtLaunchKernelWithHostArgs(aclrtFuncHandle funcHandle, uint32_t numBlocks,
                                       aclrtStream stream, aclrtLaunchKernelCfg* cfg,
                                       void* hostArgs, size_t argsSize,
                                       aclrtPlaceHolderInfo* placeHolderArray,
                                       size_t placeHolderNum) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  if (placeHolderNum != 0 && placeHolderArray == nullptr) {
    return acl::null_argument(__func__, "placeHolderArray");
  }
  return guard([&] {
    static_assert(sizeof(ArgsPlaceholder) == sizeof(aclrtPlaceHolderInfo));
    const std::span holes(reinterpret_cast<const ArgsPlaceholder*>(placeHolderArray),
                          placeHolderNum);
    return with_config({funcHandle, numBlocks, stream}, cfg, [&](const LaunchCall& call) {
      return runtime().launch_host_args(call, hostArgs, argsSize, holes);
    });
  });
}

aclError aclrtLaunchKernelWithArgsArray(void* func, uint32_t numBlocks, aclrtStream stream,
                                        aclrtLaunchKernelCfg* cfg, void** args) {
  CANOPY_ACL_NOT_NULL(func);
  return guard(
      [&]() -> Result<> {
        void* handle = func;
        if (runtime().find_function(func) == nullptr) {
          CANOPY_ASSIGN(handle, runtime().function_by_symbol(func));
        }
        return with_config({handle, numBlocks, stream}, cfg, [&](const LaunchCall& call) {
          return runtime().launch_args_array(call, args);
        });
      },
      function_code);
}

}  // extern "C"
