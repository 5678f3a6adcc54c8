// How waits for other processes' stores are woken: the shared doorbell of this process's PE, which the
// peers ring. Set by the upper side (shmem) while a World lives.
#pragma once

#include "runtime/base/doorbell.h"

namespace canopy {

// `bell` lies in shared memory and must outlive the setting; null takes it back. Thread-safe.
void set_remote_bell(Doorbell* bell);
// The bell set last, null when none is.
Doorbell* remote_bell();

}  // namespace canopy
