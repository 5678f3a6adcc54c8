#include "runtime/core/kernel_args.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace canopy {
namespace {

constexpr size_t kSlot = 8;

size_t align_up(size_t at, size_t alignment) {
  return (at + alignment - 1) / alignment * alignment;
}

uint32_t next_serial() {
  static std::atomic<uint32_t> serials{0};
  return serials.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

KernelArgs::KernelArgs(void* function, const KernelImage& image)
    : function_(function), image_(image), serial_(next_serial()), owns_(true) {}

KernelArgs::KernelArgs(void* function, const KernelImage& image, std::span<std::byte> memory)
    : function_(function), image_(image), serial_(next_serial()), owns_(false), memory_(memory) {}

Result<std::byte*> KernelArgs::take(size_t bytes) {
  if (owns_) {
    pieces_.push_back(std::make_unique<std::byte[]>(bytes));
    return pieces_.back().get();
  }
  const auto base = reinterpret_cast<uintptr_t>(memory_.data());
  const size_t at = align_up(base + taken_, kAlignment) - base;
  if (at > memory_.size() || memory_.size() - at < bytes) {
    return fail(Errc::invalid_argument,
                "arguments of kernel '{}': {} bytes more do not fit into the caller's {}",
                image_.name, bytes, memory_.size());
  }
  taken_ = at + bytes;
  std::memset(memory_.data() + at, 0, bytes);
  return memory_.data() + at;
}

Result<> KernelArgs::check_size(size_t index, size_t bytes) const {
  const auto& sizes = image_.param_sizes;
  if (image_.cpu_entry != nullptr) {
    return {};  // tells nothing of its parameters
  }
  if (index >= sizes.size()) {
    return fail(Errc::invalid_argument, "kernel '{}' has {} parameters, not {}", image_.name,
                sizes.size(), index + 1);
  }
  if (sizes[index] != bytes) {
    return fail(Errc::invalid_argument, "kernel '{}': parameter {} has {} bytes, {} given",
                image_.name, index, sizes[index], bytes);
  }
  return {};
}

Result<void*> KernelArgs::add(Parameter parameter) {
  if (parameters_.size() == kMaxParameters) {
    return fail(Errc::invalid_argument, "kernel '{}': no more than {} parameters", image_.name,
                kMaxParameters);
  }
  if (has_data_ || finished_) {
    return fail(
        Errc::invalid_argument, "kernel '{}': parameters are appended before {}", image_.name,
        finished_ ? "aclrtKernelArgsFinalize" : "the first aclrtKernelArgsGetPlaceHolderBuffer");
  }
  CANOPY_TRY(check_size(parameters_.size(), parameter.bytes));
  if (!parameter.placeholder) {
    CANOPY_ASSIGN(std::byte * copy, take(parameter.bytes));
    std::memcpy(copy, parameter.value, parameter.bytes);
    parameter.value = copy;
  }
  parameters_.push_back(parameter);
  return reinterpret_cast<void*>(uint64_t{serial_} << 8 | parameters_.size());
}

Result<void*> KernelArgs::append(const void* value, size_t bytes) {
  if (bytes == 0) {
    return fail(Errc::invalid_argument, "kernel '{}': a parameter of 0 bytes", image_.name);
  }
  Parameter parameter;
  parameter.value = static_cast<std::byte*>(const_cast<void*>(value));
  parameter.bytes = bytes;
  return add(parameter);
}

Result<void*> KernelArgs::append_placeholder() {
  Parameter parameter;
  parameter.bytes = sizeof(void*);
  parameter.placeholder = true;
  return add(parameter);
}

Result<KernelArgs::Parameter*> KernelArgs::find(void* parameter) {
  const auto key = reinterpret_cast<uint64_t>(parameter);
  const size_t index = (key & 0xFF) - 1;
  if (key >> 8 != serial_ || index >= parameters_.size()) {
    return fail(Errc::bad_handle, "{} is no parameter of these arguments of kernel '{}'",
                fmt::ptr(parameter), image_.name);
  }
  return &parameters_[index];
}

Result<void*> KernelArgs::placeholder_data(void* handle, size_t bytes) {
  CANOPY_ASSIGN(Parameter * parameter, find(handle));
  if (!parameter->placeholder || bytes == 0 || parameter->value != nullptr) {
    return fail(Errc::invalid_argument, "kernel '{}': {} bytes of data for a parameter that {}",
                image_.name, bytes,
                !parameter->placeholder ? "is no placeholder"
                : bytes == 0            ? "wants some"
                                        : "has its data already");
  }
  CANOPY_ASSIGN(parameter->value, take(bytes));
  parameter->data_bytes = bytes;
  has_data_ = true;
  finished_ = false;
  return parameter->value;
}

Result<> KernelArgs::update(void* handle, const void* value, size_t bytes) {
  CANOPY_ASSIGN(Parameter * parameter, find(handle));
  if (parameter->placeholder || bytes != parameter->bytes) {
    return fail(Errc::invalid_argument, "kernel '{}': {} bytes cannot replace {}", image_.name,
                bytes,
                parameter->placeholder ? std::string("a placeholder")
                                       : fmt::format("a parameter of {}", parameter->bytes));
  }
  std::memcpy(parameter->value, value, bytes);
  finished_ = false;
  return {};
}

Result<> KernelArgs::finish() {
  if (image_.cpu_entry == nullptr && parameters_.size() != image_.param_sizes.size()) {
    return fail(Errc::invalid_argument, "kernel '{}' has {} parameters, {} were appended",
                image_.name, image_.param_sizes.size(), parameters_.size());
  }
  size_t end = 0;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& parameter = parameters_[i];
    if (parameter.placeholder && parameter.value == nullptr) {
      return fail(Errc::invalid_argument, "kernel '{}': placeholder {} has no data", image_.name,
                  i);
    }
    parameter.offset = image_.cpu_entry == nullptr ? image_.param_offsets[i] : align_up(end, kSlot);
    end = std::max(end, parameter.offset + parameter.bytes);
  }
  values_bytes_ = std::max<size_t>(align_up(end, kSlot), image_.args_bytes);
  blob_bytes_ = values_bytes_;
  for (Parameter& parameter : parameters_) {
    if (parameter.placeholder) {
      parameter.data_offset = align_up(blob_bytes_, kAlignment);
      blob_bytes_ = parameter.data_offset + parameter.data_bytes;
    }
  }
  finished_ = true;
  return {};
}

Result<> KernelArgs::check_launch(void* function) const {
  if (!finished_) {
    return fail(
        Errc::invalid_argument,
        "kernel '{}': aclrtKernelArgsFinalize comes before the launch, and again after updates",
        image_.name);
  }
  if (function != function_) {
    return fail(Errc::invalid_argument,
                "these arguments were made for kernel '{}', not for the one launched", image_.name);
  }
  return {};
}

void KernelArgs::write(std::byte* copy) const {
  std::memset(copy, 0, values_bytes_);  // a function may read a slot wider than what was put there
  for (const Parameter& parameter : parameters_) {
    if (!parameter.placeholder) {
      std::memcpy(copy + parameter.offset, parameter.value, parameter.bytes);
      continue;
    }
    const void* address = copy + parameter.data_offset;
    std::memcpy(copy + parameter.offset, &address, sizeof address);
    std::memcpy(copy + parameter.data_offset, parameter.value, parameter.data_bytes);
  }
}

// ---- Handles.

Result<void*> KernelArgsTable::make(void* function, const KernelImage& image) {
  void* handle = own_.insert(std::make_unique<KernelArgs>(function, image));
  if (handle == nullptr) {
    return fail(Errc::limit,
                "no more arguments of kernels: those of kernel '{}' go with its binary",
                image.name);
  }
  return handle;
}

Result<> KernelArgsTable::make_at(void* place, void* function, const KernelImage& image,
                                  std::span<std::byte> memory) {
  std::lock_guard lock(mutex_);
  placed_[place] = std::make_unique<KernelArgs>(function, image, memory);
  return {};
}

Result<KernelArgs*> KernelArgsTable::find(void* handle) const {
  if (KernelArgs* found = own_.find(handle)) [[likely]] {
    return found;
  }
  std::lock_guard lock(mutex_);
  const auto placed = placed_.find(handle);
  if (placed == placed_.end()) {
    return fail(Errc::bad_handle, "{} is no live handle of kernel arguments", fmt::ptr(handle));
  }
  return placed->second.get();
}

void KernelArgsTable::forget(std::span<void* const> functions) {
  const auto belongs = [&](const KernelArgs& args) {
    return std::find(functions.begin(), functions.end(), args.function()) != functions.end();
  };
  for (void* handle : own_.handles()) {
    if (const KernelArgs* args = own_.find(handle); args != nullptr && belongs(*args)) {
      own_.remove(handle);
    }
  }
  std::lock_guard lock(mutex_);
  std::erase_if(placed_, [&](const auto& entry) { return belongs(*entry.second); });
}

void KernelArgsTable::clear() {
  for (void* handle : own_.handles()) {
    own_.remove(handle);
  }
  std::lock_guard lock(mutex_);
  placed_.clear();
}

}  // namespace canopy
