// Whether the calling thread is inside a function that a stream called, or runs a kernel. Such a
// function must not wait for streams: the one it holds up may be what it waits for.
#pragma once

#include "runtime/base/result.h"
#include "runtime/device/aicpu_engine.h"
#include "runtime/device/executor.h"

namespace canopy {

class CallbackScope {
 public:
  explicit CallbackScope(const char* what) : outer_(t_inside_) { t_inside_ = what; }
  ~CallbackScope() { t_inside_ = outer_; }
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;

  // Errc::not_supported inside of one. `what` would have waited.
  static Result<> refuse(const char* what) {
    const char* const inside = t_inside_ != nullptr ? t_inside_ : runs_kernel() ? "kernel" : nullptr;
    if (inside == nullptr) [[likely]] {
      return {};
    }
    return fail(Errc::not_supported, "{} inside a {}: it might wait for itself", what, inside);
  }

  // Whether the thread is inside of a function that a stream called.
  static bool inside() { return t_inside_ != nullptr; }
  // Or in a kernel.
  static bool may_not_wait() { return inside() || runs_kernel(); }
  // Errc::not_supported inside of a kernel, which has no thread of its own whose choice `what` could be.
  static Result<> refuse_kernel(const char* what) {
    if (runs_kernel()) {
      return fail(Errc::not_supported, "{} inside a kernel", what);
    }
    return {};
  }

 private:
  static bool runs_kernel() {
    return Executor::running_block().block != nullptr || AiCpuEngine::running_block().block != nullptr;
  }

  const char* outer_;
  static inline thread_local const char* t_inside_ = nullptr;
};

}  // namespace canopy
