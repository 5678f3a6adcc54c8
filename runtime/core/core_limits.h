// CoreLimits: how many cores of a kind work may use - of a stream, else of its device, else all
// there are.
//
// A limit holds for what is launched after it was set. Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "runtime/device/abi/kernel_image.h"
#include "runtime/driver/host_table.h"
#include "topology/model/machine.h"

#include <array>
#include <atomic>
#include <cstdint>

namespace canopy {

class Runtime;
class Stream;

class CoreLimits {
 public:
  explicit CoreLimits(Runtime& runtime) : runtime_(runtime) {}

  // ---- `kind` is cube or vector. Errc::out_of_range: 0, or more than the device has.
  Result<> set_of_device(int device, CoreKind kind, uint32_t cores);
  Result<uint32_t> of_device(int device, CoreKind kind) const;
  Result<> reset_device(int device);
  Result<> set_of_stream(void* stream, CoreKind kind, uint32_t cores);
  Result<uint32_t> of_stream(void* stream, CoreKind kind) const;
  Result<> reset_stream(void* stream);
  // The stream whose limits the calling thread's operators see.
  Result<> use_stream(void* stream);
  Result<> stop_using(void* stream);
  Result<uint32_t> of_thread(CoreKind kind) const;

  // Cores that kernels of `kind` may hold on `stream`.
  uint32_t for_launch(Stream& stream, CoreKind kind) const;
  // All limits of devices are gone, and nobody's stream is used any more.
  void clear();

 private:
  static size_t slot(CoreKind kind) { return kind == CoreKind::vector ? 1 : 0; }
  uint32_t or_device(const topology::Npu& device, uint32_t of_stream, CoreKind kind) const;
  Result<> check(const topology::Npu& device, CoreKind kind, uint32_t cores) const;

  Runtime& runtime_;
  // Relaxed: numbers, nothing else.
  std::array<std::array<std::atomic<uint32_t>, 2>, kMaxDevices> of_device_{};  // 0: none
  static inline thread_local void* t_used_stream_ = nullptr;
};

}  // namespace canopy
