// agree(): all PEs show each other what they were asked, meet, and compare with the leader of their
// group; leaders of other groups than PE 0's compare with PE 0. Collective.
//
// The records lie in the control pages, two of them by parity: a PE writes record n + 2 only after
// the barrier of n + 1, which nobody enters before having compared record n. So one barrier per
// request is enough, and it is the one that the routine owes anyway.
#pragma once

#include "shmem/heap/symmetric_heap.h"

namespace canopy::shmem {

struct HeapCall {
  HeapRoutine routine = HeapRoutine::malloc;
  HeapKind kind = HeapKind::host;
  uint64_t size = 0;
  uint64_t alignment = 0;
  uint64_t offset = 0;
};

// Contains a barrier_all. Ends the job when this PE was asked something else than PE 0.
void agree(World& world, const HeapCall& call);

}  // namespace canopy::shmem
