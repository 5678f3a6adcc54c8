// Who called abort(): asked inside the handler of SIGABRT.
#pragma once

namespace canopy {

// Looks up what abort() may be called by, and loads what unwinding needs: before any handler asks.
void prepare_abort_origin();
// True when a kernel's own code called abort(), failed an assert(), or broke a noexcept. False for every
// other abort(): libc's when its heap is broken, for instance, which holds that heap's lock.
bool kernel_called_abort();

}  // namespace canopy
