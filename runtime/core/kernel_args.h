// KernelArgs: the arguments of a kernel, put together one by one; KernelArgsTable: their handles.
//
// Life: append and reserve placeholders in the kernel's order; then write the placeholders' data;
// finish() lays everything out; then launch, any number of times. update() asks for another
// finish().
//
// The blob of a launch: parameters where the kernel expects them (of AI CPU functions, which do not
// tell: in slots of 8 bytes), then the placeholders' data, 16-byte aligned each.
//
// Not thread-safe: one thread works with a handle at a time. The table is.
#pragma once

#include "runtime/base/handle_table.h"
#include "runtime/base/result.h"
#include "runtime/device/abi/kernel_image.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace canopy {

class KernelArgs {
 public:
  static constexpr size_t kMaxParameters = 128;
  static constexpr size_t kAlignment = 16;

  // Of the kernel behind `function`, in memory of its own ...
  KernelArgs(void* function, const KernelImage& image);
  // ... or in the caller's, which outlives it.
  KernelArgs(void* function, const KernelImage& image, std::span<std::byte> memory);
  // What the caller's memory needs for `bytes` of values and data in at most kMaxParameters pieces.
  static size_t memory_for(size_t bytes) { return bytes + (kMaxParameters + 1) * kAlignment; }

  // These return handles of parameters.
  Result<void*> append(const void* value, size_t bytes);
  Result<void*> append_placeholder();
  // Where the data of a placeholder is to be written; `bytes` long.
  Result<void*> placeholder_data(void* parameter, size_t bytes);
  Result<> update(void* parameter, const void* value, size_t bytes);
  Result<> finish();

  // Whether a launch of `function` may take them as they are.
  Result<> check_launch(void* function) const;
  size_t blob_bytes() const { return blob_bytes_; }
  // REQUIRES: check_launch() was content; `copy` has blob_bytes().
  void write(std::byte* copy) const;
  void* function() const { return function_; }

 private:
  struct Parameter {
    std::byte* value = nullptr;  // of a placeholder: its data
    size_t bytes = 0;
    size_t offset = 0;       // in the blob
    size_t data_offset = 0;  // of a placeholder, as is
    size_t data_bytes = 0;
    bool placeholder = false;
  };
  Result<void*> add(Parameter parameter);
  Result<Parameter*> find(void* parameter);
  Result<std::byte*> take(size_t bytes);
  Result<> check_size(size_t index, size_t bytes) const;

  void* const function_;
  const KernelImage& image_;
  const uint32_t serial_;  // in the parameters' handles: tells ours from others'
  const bool owns_;
  std::span<std::byte> memory_;  // the caller's
  size_t taken_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> pieces_;  // our own
  std::vector<Parameter> parameters_;
  bool has_data_ = false;  // a placeholder's data was asked for: nothing can be appended
  bool finished_ = false;
  size_t values_bytes_ = 0;
  size_t blob_bytes_ = 0;
};

// Arguments in memory of the runtime go with their kernel's binary; those in the caller's also when
// others are made at the same place.
class KernelArgsTable {
 public:
  Result<void*> make(void* function, const KernelImage& image);
  Result<> make_at(void* place, void* function, const KernelImage& image,
                   std::span<std::byte> memory);
  Result<KernelArgs*> find(void* handle) const;
  // Forgets all that belong to one of `functions`.
  void forget(std::span<void* const> functions);
  void clear();

 private:
  HandleTable<KernelArgs> own_{20};
  mutable std::mutex mutex_;  // guards placed_
  std::map<void*, std::unique_ptr<KernelArgs>> placed_;
};

}  // namespace canopy
