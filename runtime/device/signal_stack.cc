#include "runtime/device/signal_stack.h"

#include <unistd.h>

#include <algorithm>

namespace canopy {

Result<Mapping> SignalStack::reserve() {
  // The handler unwinds the stack to see who called abort(): more than the bare minimum.
  constexpr long kForUnwinding = 64 << 10;
  return Mapping::anonymous(static_cast<size_t>(std::max(::sysconf(_SC_SIGSTKSZ), 0L) + kForUnwinding));
}

SignalStack::SignalStack(const Mapping& memory) {
  stack_t mine{};
  mine.ss_sp = memory.base();
  mine.ss_size = memory.bytes();
  ::sigaltstack(&mine, &before_);
}

SignalStack::~SignalStack() { ::sigaltstack(&before_, nullptr); }

}  // namespace canopy
