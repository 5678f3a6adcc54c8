// acl_rt.h: binaries with kernels.
#include "runtime/api/guard.h"

#include <memory>
#include <span>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

// What aclrtCreateBinary names: bytes of the caller.
using BinaryData = std::span<const std::byte>;

HandleTable<BinaryData>& named_data() {
  static auto* table = new HandleTable<BinaryData>(21);
  return *table;
}

bool is_magic(uint32_t magic) {
  return magic == ACL_RT_BINARY_MAGIC_ELF_AICORE || magic == ACL_RT_BINARY_MAGIC_ELF_VECTOR_CORE ||
         magic == ACL_RT_BINARY_MAGIC_ELF_CUBE_CORE;
}

Result<> take_option(const aclrtBinaryLoadOption& option, BinaryOptions* into) {
  const aclrtBinaryLoadOptionValue& value = option.value;
  switch (option.type) {
    case ACL_RT_BINARY_LOAD_OPT_LAZY_LOAD:
      if (value.isLazyLoad > 1) {
        return fail(Errc::invalid_argument, "load option: isLazyLoad is {}, 0 or 1 is wanted",
                    value.isLazyLoad);
      }
      into->lazy = value.isLazyLoad == 1;
      return {};
    case ACL_RT_BINARY_LOAD_OPT_MAGIC:
      if (!is_magic(value.magic)) {
        return fail(Errc::invalid_argument, "load option: {:#x} is no magic number of binaries",
                    value.magic);
      }
      return {};  // the kernels themselves say what they run on
    case ACL_RT_BINARY_LOAD_OPT_CPU_KERNEL_MODE:
      if (value.cpuKernelMode < 0 || value.cpuKernelMode > 2) {
        return fail(Errc::invalid_argument, "load option: cpuKernelMode is {}, 0 to 2 is wanted",
                    value.cpuKernelMode);
      }
      into->cpu_mode = static_cast<CpuKernelMode>(value.cpuKernelMode);
      return {};
  }
  return fail(Errc::invalid_argument, "load option {} is none", static_cast<int>(option.type));
}

Result<BinaryOptions> options_of(const aclrtBinaryLoadOptions* options) {
  BinaryOptions result;
  if (options != nullptr) {
    CANOPY_TRY(acl::check_count("loading a binary", options->numOpt, acl::kMostSettings, "options"));
  }
  for (size_t i = 0; options != nullptr && i < options->numOpt; ++i) {
    if (options->options == nullptr) {
      return fail(Errc::invalid_argument, "{} load options announced, none given", options->numOpt);
    }
    CANOPY_TRY(take_option(options->options[i], &result));
  }
  return result;
}

aclError load_code(aclError code) {
  return code == ACL_ERROR_KERNEL_NOT_FOUND ? ACL_ERROR_RT_KERNEL_LOOKUP : code;
}

aclError variable_code(aclError code) {
  return code == ACL_ERROR_KERNEL_NOT_FOUND ? ACL_ERROR_RT_SYMBOL_NOT_FOUND : code;
}

}  // namespace

extern "C" {

aclError aclrtBinaryLoadFromFile(const char* binPath, aclrtBinaryLoadOptions* options,
                                 aclrtBinHandle* binHandle) {
  CANOPY_ACL_NOT_NULL(binPath);
  CANOPY_ACL_NOT_NULL(binHandle);
  return guard_into(
      binHandle,
      [&]() -> Result<void*> {
        CANOPY_ASSIGN(const BinaryOptions how, options_of(options));
        return runtime().load_binary(std::string(binPath), how);
      },
      load_code);
}

aclError aclrtBinaryLoadFromData(const void* data, size_t length,
                                 const aclrtBinaryLoadOptions* options, aclrtBinHandle* binHandle) {
  CANOPY_ACL_NOT_NULL(data);
  CANOPY_ACL_NOT_NULL(binHandle);
  return guard_into(
      binHandle,
      [&]() -> Result<void*> {
        CANOPY_ASSIGN(const BinaryOptions how, options_of(options));
        return runtime().load_binary(BinaryData(static_cast<const std::byte*>(data), length), how);
      },
      load_code);
}

aclrtBinary aclrtCreateBinary(const void* data, size_t dataLen) {
  void* handle = nullptr;
  if (data == nullptr) {
    acl::null_argument(__func__, "data");
    return nullptr;
  }
  guard_into(&handle, [&]() -> Result<void*> {
    if (dataLen == 0) {
      return fail(Errc::invalid_argument, "aclrtCreateBinary: a binary of 0 bytes");
    }
    void* made = named_data().insert(
        std::make_unique<BinaryData>(static_cast<const std::byte*>(data), dataLen));
    if (made == nullptr) {
      return fail(Errc::limit, "aclrtCreateBinary: no more binaries can be named");
    }
    return made;
  });
  return handle;
}

aclError aclrtDestroyBinary(aclrtBinary binary) {
  CANOPY_ACL_NOT_NULL(binary);
  return guard([&]() -> Result<> {
    if (named_data().remove(binary) == nullptr) {
      return fail(Errc::bad_handle, "{} is not of aclrtCreateBinary, or was destroyed",
                  fmt::ptr(binary));
    }
    return {};
  });
}

aclError aclrtBinaryLoad(const aclrtBinary binary, aclrtBinHandle* binHandle) {
  CANOPY_ACL_NOT_NULL(binary);
  CANOPY_ACL_NOT_NULL(binHandle);
  return guard_into(
      binHandle,
      [&]() -> Result<void*> {
        const BinaryData* data = named_data().find(binary);
        if (data == nullptr) {
          return fail(Errc::bad_handle, "{} is not of aclrtCreateBinary, or was destroyed",
                      fmt::ptr(binary));
        }
        return runtime().load_binary(*data, BinaryOptions());
      },
      load_code);
}

aclError aclrtBinaryUnLoad(aclrtBinHandle binHandle) {
  CANOPY_ACL_NOT_NULL(binHandle);
  return guard([&] { return runtime().unload_binary(binHandle); });
}

aclError aclrtBinaryGetDevAddress(const aclrtBinHandle binHandle, void** binAddr, size_t* binSize) {
  CANOPY_ACL_NOT_NULL(binHandle);
  CANOPY_ACL_NOT_NULL(binAddr);
  CANOPY_ACL_NOT_NULL(binSize);
  return guard([&] {
    return runtime().binary(binHandle).map([&](const Module* module) {
      *binAddr = const_cast<std::byte*>(module->image().data());
      *binSize = module->image_bytes();
    });
  });
}

aclError aclrtBinaryGetGlobal(aclrtBinHandle binHandle, const char* name, void** dptr,
                              size_t* size) {
  CANOPY_ACL_NOT_NULL(binHandle);
  CANOPY_ACL_NOT_NULL(name);
  if (dptr == nullptr && size == nullptr) {
    return acl::null_argument(__func__, "dptr or size");
  }
  return guard(
      [&]() -> Result<> {
        CANOPY_ASSIGN(const Module* module, runtime().binary(binHandle));
        CANOPY_ASSIGN(const auto variable, module->variable(name));
        if (dptr != nullptr) {
          *dptr = variable.data();
        }
        if (size != nullptr) {
          *size = variable.size();
        }
        return {};
      },
      variable_code);
}

}  // extern "C"
