// Session: the process's one World behind both C APIs, counted: shmem_init and aclshmemx_init_attr
// may both be called, each needs its finalize, and the last one leaves the job. After that a new
// session may begin. Thread-safe, but init and finalize are collective.
#pragma once

#include "runtime/base/result.h"

#include <cstdint>

namespace canopy::shmem {

class World;

namespace session {

// Joins the job (the first call) or counts one user more.
Result<World*> enter();
// The last user leaves the job; others only meet. Errors: not_initialized.
Result<> leave();
bool is_open();

}  // namespace session
}  // namespace canopy::shmem
