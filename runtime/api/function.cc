// acl_rt.h: the functions of binaries, and what they tell of themselves.
#include "runtime/api/guard.h"
#include "runtime/core/loaded_object.h"

#include <cstring>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

aclError symbol_code(aclError code) {
  return code == ACL_ERROR_KERNEL_NOT_FOUND ? ACL_ERROR_RT_INVALID_DEVICE_FUNCTION : code;
}

Result<const Function*> function_of(aclrtFuncHandle handle) {
  if (const Function* found = runtime().find_function(handle)) {
    return found;
  }
  return fail(Errc::bad_handle, "{} is not a live function handle", fmt::ptr(handle));
}

bool on_cube(const KernelImage& image) {
  return image.core_kind == CoreKind::cube || image.core_kind == CoreKind::mix;
}

bool on_vector(const KernelImage& image) {
  return image.core_kind == CoreKind::vector || image.core_kind == CoreKind::mix;
}

Result<const KernelImage*> with_parameters(const void* func) {
  CANOPY_ASSIGN(const Function* function, runtime().function(func));
  if (function->image->cpu_entry != nullptr) {
    return fail(Errc::not_supported, "AI CPU kernel '{}' tells nothing of its parameters",
                function->image->name);
  }
  return function->image;
}

// Cube cores in the upper half of a word, vector cores in the lower.
int64_t ratio_of(const KernelImage& image) {
  return int64_t{on_cube(image)} << 16 | int64_t{on_vector(image)};
}

}  // namespace

extern "C" {

aclError aclrtBinaryGetFunction(const aclrtBinHandle binHandle, const char* kernelName,
                                aclrtFuncHandle* funcHandle) {
  CANOPY_ACL_NOT_NULL(binHandle);
  CANOPY_ACL_NOT_NULL(kernelName);
  CANOPY_ACL_NOT_NULL(funcHandle);
  return guard_into(funcHandle, [&] { return runtime().function_by_name(binHandle, kernelName); });
}

aclError aclrtBinaryGetFunctionByEntry(aclrtBinHandle binHandle, uint64_t funcEntry,
                                       aclrtFuncHandle* funcHandle) {
  CANOPY_ACL_NOT_NULL(binHandle);
  CANOPY_ACL_NOT_NULL(funcHandle);
  return guard_into(funcHandle, [&] { return runtime().function_by_entry(binHandle, funcEntry); });
}

aclError aclrtGetFuncBySymbol(const void* symbol, aclrtFuncHandle* funcHandle) {
  CANOPY_ACL_NOT_NULL(symbol);
  CANOPY_ACL_NOT_NULL(funcHandle);
  return guard_into(
      funcHandle, [&] { return runtime().function_by_symbol(symbol); }, symbol_code);
}

aclError aclrtRegisterCpuFunc(const aclrtBinHandle handle, const char* funcName,
                              const char* kernelName, aclrtFuncHandle* funcHandle) {
  CANOPY_ACL_NOT_NULL(handle);
  CANOPY_ACL_NOT_NULL(funcName);
  CANOPY_ACL_NOT_NULL(kernelName);
  CANOPY_ACL_NOT_NULL(funcHandle);
  return guard_into(funcHandle,
                    [&] { return runtime().register_cpu_function(handle, funcName, kernelName); });
}

aclError aclrtFunctionGetBinary(const aclrtFuncHandle funcHandle, aclrtBinHandle* binHandle) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  CANOPY_ACL_NOT_NULL(binHandle);
  return guard_into(binHandle, [&]() -> Result<void*> {
    CANOPY_ASSIGN(const Function* function, function_of(funcHandle));
    if (function->binary == nullptr) {
      return fail(Errc::invalid_argument,
                  "kernel '{}' is the program's: no binary was loaded for it",
                  function->image->name);
    }
    return function->binary;
  });
}

aclError aclrtGetFunctionName(aclrtFuncHandle funcHandle, uint32_t maxLen, char* name) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  CANOPY_ACL_NOT_NULL(name);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const Function* function, function_of(funcHandle));
    const std::string& text = function->image->name;
    if (text.size() >= maxLen) {
      return fail(Errc::out_of_range,
                  "kernel '{}': the name and its end take {} bytes, {} are given", text,
                  text.size() + 1, maxLen);
    }
    std::memcpy(name, text.c_str(), text.size() + 1);
    return {};
  });
}

aclError aclrtGetFunctionAddr(aclrtFuncHandle funcHandle, void** aicAddr, void** aivAddr) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  CANOPY_ACL_NOT_NULL(aicAddr);
  CANOPY_ACL_NOT_NULL(aivAddr);
  return guard([&] {
    return function_of(funcHandle).map([&](const Function* function) {
      void* address = const_cast<void*>(function->image->symbol);
      *aicAddr = on_cube(*function->image) ? address : nullptr;
      *aivAddr = on_vector(*function->image) ? address : nullptr;
    });
  });
}

aclError aclrtGetFunctionSize(aclrtFuncHandle funcHandle, size_t* aicSize, size_t* aivSize) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  CANOPY_ACL_NOT_NULL(aicSize);
  CANOPY_ACL_NOT_NULL(aivSize);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const Function* function, function_of(funcHandle));
    CANOPY_ASSIGN(const size_t bytes, function_bytes(function->image->symbol));
    *aicSize = on_cube(*function->image) ? bytes : 0;
    *aivSize = on_vector(*function->image) ? bytes : 0;
    return {};
  });
}

aclError aclrtGetFunctionAttribute(aclrtFuncHandle funcHandle, aclrtFuncAttribute attrType,
                                   int64_t* attrValue) {
  CANOPY_ACL_NOT_NULL(funcHandle);
  CANOPY_ACL_NOT_NULL(attrValue);
  return guard_into(attrValue, [&]() -> Result<int64_t> {
    CANOPY_ASSIGN(const Function* function, function_of(funcHandle));
    switch (attrType) {
      case ACL_FUNC_ATTR_KERNEL_TYPE:
        return static_cast<int64_t>(function->image->core_kind);
      case ACL_FUNC_ATTR_KERNEL_RATIO:
        return ratio_of(*function->image);
      case ACL_FUNC_ATTR_KERNEL_SCHED_MODE:
        return 0;  // a launch that says nothing starts with the first free core
    }
    return fail(Errc::invalid_argument, "function attribute {} is none",
                static_cast<int>(attrType));
  });
}

aclError aclrtFunctionGetParamCount(const void* func, size_t* paramCount) {
  CANOPY_ACL_NOT_NULL(func);
  CANOPY_ACL_NOT_NULL(paramCount);
  return guard_into(
      paramCount,
      [&] {
        return with_parameters(func).map(
            [](const KernelImage* image) { return image->param_sizes.size(); });
      },
      symbol_code);
}

aclError aclrtFunctionGetParamInfo(const void* func, size_t paramIndex, size_t* paramOffset,
                                   size_t* paramSize) {
  CANOPY_ACL_NOT_NULL(func);
  CANOPY_ACL_NOT_NULL(paramOffset);
  CANOPY_ACL_NOT_NULL(paramSize);
  return guard(
      [&]() -> Result<> {
        CANOPY_ASSIGN(const KernelImage* image, with_parameters(func));
        if (paramIndex >= image->param_sizes.size()) {
          return fail(Errc::out_of_range, "kernel '{}' has {} parameters, number {} is none",
                      image->name, image->param_sizes.size(), paramIndex);
        }
        *paramOffset = image->param_offsets[paramIndex];
        *paramSize = image->param_sizes[paramIndex];
        return {};
      },
      symbol_code);
}

aclError aclrtFunctionGetAvailDynUbufPerBlock(void* func, uint32_t flags, size_t* dynamicUbufSize) {
  CANOPY_ACL_NOT_NULL(func);
  CANOPY_ACL_NOT_NULL(dynamicUbufSize);
  return guard_into(
      dynamicUbufSize,
      [&]() -> Result<size_t> {
        CANOPY_ASSIGN(const Function* function, runtime().function(func));
        if (flags != 0) {
          return fail(Errc::invalid_argument,
                      "aclrtFunctionGetAvailDynUbufPerBlock: flags are {:#x}, 0 is wanted", flags);
        }
        CANOPY_ASSIGN(Context * context, runtime().current_context());
        return function->image->core_kind == CoreKind::aicpu ? 0
                                                             : context->device().cores().ub_bytes();
      },
      symbol_code);
}

}  // extern "C"
