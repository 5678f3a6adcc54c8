// SignalStack: a stack for the signal handlers of one thread, for as long as the object lives: a handler
// has to run when the thread's own stack has overflowed.
#pragma once

#include "runtime/base/mapping.h"

#include <csignal>

namespace canopy {

class SignalStack {
 public:
  // For the calling thread, which also destroys it. Without memory for it the thread does without.
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  Mapping memory_;
  stack_t before_{};  // sanitizers bring one of their own, and free what they find at the thread's end
};

}  // namespace canopy
