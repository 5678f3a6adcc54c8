// Whether the calling thread is inside a function that a stream called. Such a function must not
// wait for streams: the one it holds up may be what it waits for.
#pragma once

#include "runtime/base/result.h"

namespace canopy {

class CallbackScope {
 public:
  explicit CallbackScope(const char* what) : outer_(t_inside_) { t_inside_ = what; }
  ~CallbackScope() { t_inside_ = outer_; }
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;

  // Errc::not_supported inside of one. `what` would have waited.
  static Result<> refuse(const char* what) {
    if (t_inside_ == nullptr) [[likely]] {
      return {};
    }
    return fail(Errc::not_supported, "{} inside a {}: it might wait for itself", what, t_inside_);
  }

 private:
  const char* outer_;
  static inline thread_local const char* t_inside_ = nullptr;
};

}  // namespace canopy
