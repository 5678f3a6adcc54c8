#include "runtime/core/module.h"

#include "runtime/base/unique_fd.h"
#include "runtime/device/kernel_registry.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <cerrno>
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

// A private copy of the file in memory: the dynamic loader then sees a file it has never seen, and
// gives it fresh statics.
Result<UniqueFd> copy_into_memory(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    return fail_errno(Errc::io, errno, "cannot open binary '{}'", path);
  }
  struct stat status;
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(Errc::io, "binary '{}' is not a regular file", path);
  }
  UniqueFd memory(::memfd_create("canopy-module", MFD_CLOEXEC));
  if (!memory) {
    return fail_errno(Errc::no_memory, errno, "cannot create memory for binary '{}'", path);
  }
  off_t done = 0;
  while (done < status.st_size) {
    const ssize_t n = ::sendfile(memory.get(), file.get(), &done, static_cast<size_t>(status.st_size - done));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return fail_errno(Errc::io, errno, "cannot read binary '{}'", path);
    }
  }
  return memory;
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
  CANOPY_ASSIGN(module->memory_, copy_into_memory(path));
  KernelCapture capture;
  const std::string name = fmt::format("/proc/self/fd/{}", module->memory_.get());
  module->library_ = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
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
