// From the arguments of a deprecated collective to the team that they stand for.
#pragma once

#include "shmem/team/team.h"

namespace canopy::shmem {

// PEs start + i * 2^log_stride of the job, i below size.
struct ActiveSet {
  int start;
  int log_stride;
  int size;
};

// Ends the job with a sentence when this PE is no member, or the set is none.
Team& active_set(const ActiveSet& set, long* sync_array, const char* routine);
// The same when `rank` is no number of the team.
void require_member(const Team& team, int rank, const char* routine);

}  // namespace canopy::shmem
