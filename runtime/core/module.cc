#include "runtime/core/module.h"

#include "runtime/core/aicpu_description.h"
#include "runtime/core/private_binary.h"
#include "runtime/device/kernel_registry.h"
#include "runtime/device/kernel_text.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <mutex>
#include <set>
#include <utility>

namespace canopy {
namespace {

// Names on a timeline outlive the module that brought them.
const char* intern(const std::string& name) {
  static std::mutex mutex;
  static auto* names = new std::set<std::string>;
  std::lock_guard lock(mutex);
  return names->insert(name).first->c_str();
}

}  // namespace

void Module::add(const canopy_kernel_record& record) {
  KernelImage& image = kernels_.emplace_back();
  image.name = record.name;
  image.trace_name = intern(image.name);
  image.entry = record.entry;
  image.symbol = record.symbol;
  KernelText::add(reinterpret_cast<const void*>(record.entry));
  image.core_kind = static_cast<CoreKind>(record.core_kind);
  image.args_bytes = record.args_bytes;
  image.param_sizes.assign(record.param_sizes, record.param_sizes + record.param_count);
  image.param_offsets.assign(record.param_offsets, record.param_offsets + record.param_count);
}

std::unique_ptr<Module> Module::of_program() {
  auto module = std::unique_ptr<Module>(new Module("the program"));
  module->refresh_program();
  return module;
}

void Module::refresh_program() {
  const auto records = program_kernels();
  for (size_t i = kernels_.size(); i < records.size(); ++i) {
    add(records[i]);
  }
}

Result<std::unique_ptr<Module>> Module::load_file(const std::string& path, const BinaryOptions& options) {
  switch (options.cpu_mode) {
    case CpuKernelMode::none: {
      CANOPY_ASSIGN(PrivateBinary binary, make_private_binary(path));
      return open(path, std::move(binary), options);
    }
    case CpuKernelMode::built_in:
      return fail(Errc::not_supported, "'{}': built-in AI CPU kernels come with another package; give their library and "
                  "mode 1", path);
    case CpuKernelMode::described: {
      CANOPY_ASSIGN(auto functions, read_aicpu_description(path));
      CANOPY_ASSIGN(PrivateBinary binary, make_private_binary(binary_of_description(path)));
      CANOPY_ASSIGN(auto module, open(path, std::move(binary), options));
      module->described_ = std::move(functions);
      return module;
    }
    case CpuKernelMode::registered: break;
  }
  return fail(Errc::invalid_argument, "'{}': AI CPU kernels of mode 2 are loaded from memory", path);
}

Result<std::unique_ptr<Module>> Module::load_data(std::span<const std::byte> data, const BinaryOptions& options) {
  if (options.cpu_mode == CpuKernelMode::built_in || options.cpu_mode == CpuKernelMode::described) {
    return fail(Errc::invalid_argument, "AI CPU kernels of mode {} are loaded from a file, only those of mode 2 from memory",
                static_cast<int>(options.cpu_mode));
  }
  const std::string name = fmt::format("{} bytes of memory", data.size());
  CANOPY_ASSIGN(PrivateBinary binary, make_private_binary(data, name));
  return open(name, std::move(binary), options);
}

Result<std::unique_ptr<Module>> Module::open(std::string path, PrivateBinary binary, const BinaryOptions& options) {
  auto module = std::unique_ptr<Module>(new Module(std::move(path)));
  module->options_ = options;
  module->memory_ = std::move(binary.memory);
  KernelCapture capture;
  module->library_ = ::dlopen(binary.name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module->library_ == nullptr) {
    const char* reason = ::dlerror();
    return fail(Errc::io, "cannot load binary '{}': {}", module->path_, reason != nullptr ? reason : "unknown");
  }
  link_map* map = nullptr;
  if (::dlinfo(module->library_, RTLD_DI_LINKMAP, &map) == 0) {
    CANOPY_ASSIGN(module->object_, find_loaded_object(map->l_ld));
  }
  if (capture.records.empty() && options.cpu_mode == CpuKernelMode::none) {
    return fail(Errc::not_found, "binary '{}' holds no kernel: mark kernels with CANOPY_KERNEL(name)", module->path_);
  }
  for (const auto& record : capture.records) {
    if (record.version != 1) {
      return fail(Errc::not_supported, "binary '{}': kernel '{}' has ABI version {}, this runtime knows 1",
                  module->path_, record.name, record.version);
    }
    module->add(record);
  }
  return module;
}

Module::~Module() {
  for (const KernelImage& kernel : kernels_) {
    KernelText::remove(kernel.cpu_entry == nullptr ? reinterpret_cast<const void*>(kernel.entry) : kernel.symbol);
  }
  if (library_ != nullptr) {
    ::dlclose(library_);
  }
}

// ---- Kernels.

Result<const KernelImage*> Module::function(std::string_view name) {
  const KernelImage* image = find(name);
  if (image == nullptr) {
    const auto known = described_.find(std::string(name));
    if (known == described_.end()) {
      return fail(Errc::not_found, "binary '{}' has no kernel '{}' ({} others)", path_, name,
                  kernels_.size() + described_.size());
    }
    return register_cpu_function(known->second, known->first);
  }
  used_ = true;
  return image;
}

Result<const KernelImage*> Module::function_by_entry(uint64_t entry) {
  const std::string suffix = fmt::format("_{}", entry);
  for (const KernelImage& image : kernels_) {
    if (reinterpret_cast<uint64_t>(image.symbol) == entry || image.name.ends_with(suffix)) {
      used_ = true;
      return &image;
    }
  }
  return fail(Errc::not_found, "binary '{}' has no kernel at {:#x}, and none whose name ends with '{}'", path_, entry,
              suffix);
}

Result<> Module::check_for_aicpu() const {
  if (options_.cpu_mode == CpuKernelMode::none) {
    return fail(Errc::invalid_argument, "binary '{}' was not loaded for AI CPUs", path_);
  }
  return {};
}

Result<const KernelImage*> Module::register_cpu_function(const std::string& symbol, const std::string& name) {
  CANOPY_TRY(check_for_aicpu());
  void* function = ::dlsym(library_, symbol.c_str());
  if (function == nullptr) {
    return fail(Errc::not_found, "binary '{}' has no function '{}' for the AI CPU kernel '{}'", path_, symbol, name);
  }
  used_ = true;
  if (const KernelImage* known = find(name)) {
    if (known->symbol != function) {
      return fail(Errc::invalid_argument, "binary '{}' has a kernel '{}' already, with another function", path_, name);
    }
    return known;
  }
  KernelImage& image = kernels_.emplace_back();
  image.name = name;
  image.trace_name = intern(name);
  image.symbol = function;
  image.cpu_entry = reinterpret_cast<uint32_t (*)(void*)>(function);
  KernelText::add(function);
  image.core_kind = CoreKind::aicpu;
  return &image;
}

const KernelImage* Module::find(std::string_view name) const {
  for (const KernelImage& image : kernels_) {
    if (image.name == name) {
      return &image;
    }
  }
  return nullptr;
}

const KernelImage* Module::find_symbol(const void* symbol) const {
  for (const KernelImage& image : kernels_) {
    if (image.symbol == symbol) {
      return &image;
    }
  }
  return nullptr;
}

// ---- The object.

Result<std::span<std::byte>> Module::variable(const std::string& name) const {
  void* address = ::dlsym(library_, name.c_str());
  Dl_info info;
  ElfW(Sym)* symbol = nullptr;
  if (address == nullptr ||
      ::dladdr1(address, &info, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) == 0 || symbol == nullptr ||
      ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT) {
    return fail(Errc::not_found, "binary '{}' has no variable '{}'", path_, name);
  }
  return std::span(static_cast<std::byte*>(address), symbol->st_size);
}

std::span<const std::byte> Module::image() const {
  return options_.lazy && !used_ ? std::span<const std::byte>() : object_.memory;
}

size_t Module::image_bytes() const { return object_.memory.size(); }

}  // namespace canopy
