// The one way from a public call to a new context: on the world, or on a team.
#pragma once

#include "shmem.h"
#include "shmem/context/open_context.h"

namespace canopy::shmem {

// What shmem_ctx_create and its like return: 0 with the context, or nonzero with SHMEM_CTX_INVALID,
// the reason in the log. `options` are the public ones.
int create_context(World& world, long options, ContextTeam team, shmem_ctx_t* context,
                   const char* routine);

}  // namespace canopy::shmem
