// From a team's handle to the team.
#pragma once

#include "shmem.h"
#include "shmem/team/team.h"

namespace canopy::shmem {

// Null when the handle names none.
Team* find_team(shmem_team_t team, const char* routine);
// Ends the job with a sentence instead.
Team& team_of(shmem_team_t team, const char* routine);

}  // namespace canopy::shmem
