#include "runtime/core/module.h"

#include "runtime/core/private_binary.h"
#include "runtime/device/kernel_registry.h"

#include <dlfcn.h>

#include <mutex>
#include <set>

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

Result<std::unique_ptr<Module>> Module::load_file(const std::string& path) {
  auto module = std::unique_ptr<Module>(new Module(path));
  CANOPY_ASSIGN(PrivateBinary binary, make_private_binary(path));
  module->memory_ = std::move(binary.memory);
  KernelCapture capture;
  module->library_ = ::dlopen(binary.name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module->library_ == nullptr) {
    const char* reason = ::dlerror();
    return fail(Errc::io, "cannot load binary '{}': {}", path, reason != nullptr ? reason : "unknown");
  }
  if (capture.records.empty()) {
    return fail(Errc::not_found, "binary '{}' holds no kernel: mark kernels with CANOPY_KERNEL(name)", path);
  }
  for (const auto& record : capture.records) {
    if (record.version != 1) {
      return fail(Errc::not_supported, "binary '{}': kernel '{}' has ABI version {}, this runtime knows 1",
                  path, record.name, record.version);
    }
    module->add(record);
  }
  return module;
}

Module::~Module() {
  if (library_ != nullptr) {
    ::dlclose(library_);
  }
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

}  // namespace canopy
