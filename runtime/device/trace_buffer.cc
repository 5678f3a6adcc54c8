#include "runtime/device/trace_buffer.h"

#include "runtime/device/executor.h"

namespace canopy {

void TraceScope::finish() {
  event_.end = ticks();
  if (Executor* executor = Executor::current()) {
    executor->trace().add(event_);
  }
}

}  // namespace canopy
