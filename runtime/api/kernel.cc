// acl_rt.h: binaries, functions, launches.
#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

Result<> check_options(const aclrtBinaryLoadOptions* options) {
  for (size_t i = 0; options != nullptr && i < options->numOpt; ++i) {
    if (options->options == nullptr) {
      return fail(Errc::invalid_argument, "aclrtBinaryLoadFromFile: {} options announced, none given", options->numOpt);
    }
    const auto type = options->options[i].type;
    if (type == ACL_RT_BINARY_LOAD_OPT_CPU_KERNEL_MODE) {
      return fail(Errc::not_supported, "aclrtBinaryLoadFromFile: AI CPU kernels are not built");
    }
    if (type != ACL_RT_BINARY_LOAD_OPT_LAZY_LOAD && type != ACL_RT_BINARY_LOAD_OPT_MAGIC) {
      return fail(Errc::invalid_argument, "aclrtBinaryLoadFromFile: unknown option {}", static_cast<int>(type));
    }
  }
  return {};
}

// What a launch configuration may say today; everything else is refused, not ignored.
Result<> check_config(const aclrtLaunchKernelCfg* cfg) {
  for (size_t i = 0; cfg != nullptr && i < cfg->numAttrs; ++i) {
    if (cfg->attrs == nullptr) {
      return fail(Errc::invalid_argument, "launch: {} attributes announced, none given", cfg->numAttrs);
    }
    switch (cfg->attrs[i].id) {
      case ACL_RT_LAUNCH_KERNEL_ATTR_SCHEM_MODE:
      case ACL_RT_LAUNCH_KERNEL_ATTR_BLOCK_TASK_PREFETCH:
        break;  // hints that change nothing here
      default:
        return fail(Errc::not_supported, "launch attribute {} is not built", static_cast<int>(cfg->attrs[i].id));
    }
  }
  return {};
}

}  // namespace

extern "C" {

aclError aclrtBinaryLoadFromFile(const char* binPath, aclrtBinaryLoadOptions* options, aclrtBinHandle* binHandle) {
  CANOPY_ACL_NOT_NULL(binPath);
  CANOPY_ACL_NOT_NULL(binHandle);
  return guard_into(
      binHandle,
      [&]() -> Result<void*> {
        CANOPY_TRY(check_options(options));
        return runtime().load_binary(binPath);
      },
      [](aclError code) -> aclError { return code == ACL_ERROR_KERNEL_NOT_FOUND ? ACL_ERROR_RT_KERNEL_LOOKUP : code; });
}

aclError aclrtBinaryUnLoad(aclrtBinHandle binHandle) {
  CANOPY_ACL_NOT_NULL(binHandle);
  return guard([&] { return runtime().unload_binary(binHandle); });
}

aclError aclrtBinaryGetFunction(const aclrtBinHandle binHandle, const char* kernelName, aclrtFuncHandle* funcHandle) {
  CANOPY_ACL_NOT_NULL(binHandle);
  CANOPY_ACL_NOT_NULL(kernelName);
  CANOPY_ACL_NOT_NULL(funcHandle);
  return guard_into(funcHandle, [&] { return runtime().function_by_name(binHandle, kernelName); });
}

aclError aclrtGetFuncBySymbol(const void* symbol, aclrtFuncHandle* funcHandle) {
  CANOPY_ACL_NOT_NULL(symbol);
  CANOPY_ACL_NOT_NULL(funcHandle);
  return guard_into(funcHandle, [&] { return runtime().function_by_symbol(symbol); }, [](aclError code) -> aclError {
    return code == ACL_ERROR_KERNEL_NOT_FOUND ? ACL_ERROR_RT_INVALID_DEVICE_FUNCTION : code;
  });
}

aclError aclrtLaunchKernel(aclrtFuncHandle funcHandle, uint32_t numBlocks, const void* argsData, size_t argsSize,
                           aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  return guard([&] { return runtime().launch(funcHandle, numBlocks, argsData, argsSize, stream); });
}

aclError aclrtLaunchKernelWithHostArgs(aclrtFuncHandle funcHandle, uint32_t numBlocks, aclrtStream stream,
                                       aclrtLaunchKernelCfg* cfg, void* hostArgs, size_t argsSize,
                                       aclrtPlaceHolderInfo* placeHolderArray, size_t placeHolderNum) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  if (placeHolderNum != 0 && placeHolderArray == nullptr) {
    return acl::null_argument(__func__, "placeHolderArray");
  }
  return guard([&]() -> Result<> {
    CANOPY_TRY(check_config(cfg));
    static_assert(sizeof(ArgsPlaceholder) == sizeof(aclrtPlaceHolderInfo));
    const std::span holes(reinterpret_cast<const ArgsPlaceholder*>(placeHolderArray), placeHolderNum);
    return runtime().launch_host_args(funcHandle, numBlocks, hostArgs, argsSize, holes, stream);
  });
}

}  // extern "C"
