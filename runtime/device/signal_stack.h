// SignalStack: a stack for the signal handlers of one thread, for as long as the object lives: a handler
// has to run when the thread's own stack has overflowed.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/result.h"

#include <csignal>

namespace canopy {

class SignalStack {
 public:
  // Memory for one, by whoever starts the thread: a thread that runs could only do without.
  static Result<Mapping> reserve();
  // For the calling thread, which also destroys it. REQUIRES: `memory` outlives it.
  explicit SignalStack(const Mapping& memory);
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  stack_t before_{};  // sanitizers bring one of their own, and free what they find at the thread's end
};

}  // namespace canopy
