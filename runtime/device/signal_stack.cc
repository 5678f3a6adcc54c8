#include "runtime/device/signal_stack.h"

#include "runtime/base/log.h"

#include <unistd.h>

#include <algorithm>

namespace canopy {

SignalStack::SignalStack() {
  // The handler unwinds the stack to see who called abort(): more than the bare minimum.
  constexpr long kForUnwinding = 64 << 10;
  const long bytes = std::max(::sysconf(_SC_SIGSTKSZ), 0L) + kForUnwinding;
  auto memory = Mapping::anonymous(static_cast<size_t>(bytes));
  if (!memory) {
    log(LogLevel::warn, "no memory for a signal stack of {} bytes: a kernel that overflows its stack ends the process",
        bytes);
    return;
  }
  memory_ = std::move(*memory);
  stack_t mine{};
  mine.ss_sp = memory_.base();
  mine.ss_size = memory_.bytes();
  ::sigaltstack(&mine, &before_);
}

SignalStack::~SignalStack() {
  if (memory_) {
    ::sigaltstack(&before_, nullptr);
  }
}

}  // namespace canopy
