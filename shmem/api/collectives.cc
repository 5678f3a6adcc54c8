// shmem.h: collectives that move data, of teams and of active sets.
#include "shmem/collectives/collectives.h"

#include "shmem/api/active_set.h"
#include "shmem/api/announced.h"
#include "shmem/api/define.h"
#include "shmem/api/team_of.h"
#include "shmem/collectives/objects.h"

using namespace canopy::shmem;

namespace calls {
namespace {

// An element is a type, or a number of bytes; code is the same for both.
#define BOTH(OPERATION, PARAMETERS, ARGUMENTS)                                                              \
  template <size_t kBytes>                                                                                  \
  inline int OPERATION(shmem_team_t team, void* dest, const void* source, SHMEMX_LIST PARAMETERS) {         \
    return OPERATION##_of(team_of(team, routine), dest, source, kBytes, SHMEMX_LIST ARGUMENTS);             \
  }                                                                                                         \
  template <class T>                                                                                        \
  inline int OPERATION(shmem_team_t team, T* dest, const T* source, SHMEMX_LIST PARAMETERS) {               \
    return OPERATION##_of(team_of(team, routine), dest, source, sizeof(T), SHMEMX_LIST ARGUMENTS);          \
  }

// ---- For the debug mode. Blocks of `nelems` elements; dest and source have so many of them.
CollectiveCall blocks(const char* routine, void* dest, size_t dest_blocks, const void* source, size_t source_blocks,
                      size_t element, size_t nelems) {
  const size_t bytes = saturated(nelems, element);
  return {.routine = routine,
          .element_bytes = element,
          .nelems = nelems,
          .dest = dest,
          .dest_bytes = saturated(bytes, dest_blocks),
          .source = source,
          .source_bytes = saturated(bytes, source_blocks)};
}

[[gnu::cold, gnu::noinline]] void announce_strided(Team& team, void* dest, const void* source, size_t element, ptrdiff_t dst,
                                                   ptrdiff_t sst, size_t nelems, const char* routine) {
  // From the first element to the last; wrong strides are the operation's to refuse.
  const auto extent = [&](ptrdiff_t stride) -> size_t {
    const size_t elements = saturated(static_cast<size_t>(team.size()), nelems);
    if (elements == 0 || stride < 1) {
      return 0;
    }
    const size_t steps = saturated(elements - 1, static_cast<size_t>(stride));
    return saturated(steps == SIZE_MAX ? steps : steps + 1, element);
  };
  CollectiveCall call = blocks(routine, dest, 0, source, 0, element, nelems);
  call.dst = dst;
  call.sst = sst;
  call.dest_bytes = extent(dst);
  call.source_bytes = extent(sst);
  announce(team, call);
}

[[gnu::cold, gnu::noinline]] void announce_broadcast(Team& team, void* dest, const void* source, size_t element,
                                                     size_t nelems, int root, const char* routine) {
  CollectiveCall call = blocks(routine, dest, 1, source, 1, element, nelems);
  call.root = root;
  announce(team, call);
}

// How much dest holds in the end nobody knows yet: at least this member's part.
[[gnu::cold, gnu::noinline]] void announce_collect(Team& team, void* dest, const void* source, size_t element, size_t nelems,
                                                   const char* routine) {
  CollectiveCall call = blocks(routine, dest, 1, source, 1, element, nelems);
  call.own_sizes = true;
  announce(team, call);
}

[[gnu::cold, gnu::noinline]] void announce_fcollect(Team& team, void* dest, const void* source, size_t element, size_t nelems,
                                                    const char* routine) {
  announce(team, blocks(routine, dest, static_cast<size_t>(team.size()), source, 1, element, nelems));
}

[[gnu::cold, gnu::noinline]] void announce_alltoall(Team& team, void* dest, const void* source, size_t element, size_t nelems,
                                                    const char* routine) {
  const auto size = static_cast<size_t>(team.size());
  announce(team, blocks(routine, dest, size, source, size, element, nelems));
}

int alltoall_of(Team& team, void* dest, const void* source, size_t element, size_t nelems, const char* routine) {
  if (is_guarded(team)) [[unlikely]] {
    announce_alltoall(team, dest, source, element, nelems, routine);
  }
  canopy::shmem::alltoall(team, dest, source, saturated(nelems, element), routine);
  return 0;
}
BOTH(alltoall, (size_t nelems, const char* routine), (nelems, routine))

int alltoalls_of(Team& team, void* dest, const void* source, size_t element, ptrdiff_t dst, ptrdiff_t sst,
                 size_t nelems, const char* routine) {
  if (is_guarded(team)) [[unlikely]] {
    announce_strided(team, dest, source, element, dst, sst, nelems, routine);
  }
  canopy::shmem::alltoalls(team, dest, source, nelems, {dst, sst, element}, routine);
  return 0;
}
BOTH(alltoalls, (ptrdiff_t dst, ptrdiff_t sst, size_t nelems, const char* routine), (dst, sst, nelems, routine))

int broadcast_of(Team& team, void* dest, const void* source, size_t element, size_t nelems, int root,
                 const char* routine) {
  require_member(team, root, routine);
  if (is_guarded(team)) [[unlikely]] {
    announce_broadcast(team, dest, source, element, nelems, root, routine);
  }
  canopy::shmem::broadcast(team, dest, source, saturated(nelems, element), root, RootDest::written, routine);
  return 0;
}
BOTH(broadcast, (size_t nelems, int root, const char* routine), (nelems, root, routine))

int collect_of(Team& team, void* dest, const void* source, size_t element, size_t nelems, const char* routine) {
  if (is_guarded(team)) [[unlikely]] {
    announce_collect(team, dest, source, element, nelems, routine);
  }
  canopy::shmem::collect(team, dest, source, saturated(nelems, element), routine);
  return 0;
}
BOTH(collect, (size_t nelems, const char* routine), (nelems, routine))

int fcollect_of(Team& team, void* dest, const void* source, size_t element, size_t nelems, const char* routine) {
  if (is_guarded(team)) [[unlikely]] {
    announce_fcollect(team, dest, source, element, nelems, routine);
  }
  canopy::shmem::fcollect(team, dest, source, saturated(nelems, element), routine);
  return 0;
}
BOTH(fcollect, (size_t nelems, const char* routine), (nelems, routine))
#undef BOTH

// ---- Of active sets.

void aset_sync(SHMEMX_ASET_PARAMETERS, long* pSync, const char* routine) {
  announced(active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine), routine).sync(routine);
}

void aset_barrier(SHMEMX_ASET_PARAMETERS, long* pSync, const char* routine) {
  Team& team = announced(active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine), routine);
  team.quiet(routine);
  team.sync(routine);
}

template <size_t kBytes>
void aset_alltoall(void* dest, const void* source, size_t nelems, SHMEMX_ASET_PARAMETERS, long* pSync,
                   const char* routine) {
  Team& team = active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine);
  if (is_guarded(team)) [[unlikely]] {
    announce_alltoall(team, dest, source, kBytes, nelems, routine);
  }
  canopy::shmem::alltoall(team, dest, source, saturated(nelems, kBytes), routine);
}

template <size_t kBytes>
void aset_alltoalls(void* dest, const void* source, ptrdiff_t dst, ptrdiff_t sst, size_t nelems,
                    SHMEMX_ASET_PARAMETERS, long* pSync, const char* routine) {
  Team& team = active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine);
  if (is_guarded(team)) [[unlikely]] {
    announce_strided(team, dest, source, kBytes, dst, sst, nelems, routine);
  }
  canopy::shmem::alltoalls(team, dest, source, nelems, {dst, sst, kBytes}, routine);
}

template <size_t kBytes>
void aset_broadcast(void* dest, const void* source, size_t nelems, int root, SHMEMX_ASET_PARAMETERS, long* pSync,
                    const char* routine) {
  Team& team = active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine);
  require_member(team, root, routine);
  if (is_guarded(team)) [[unlikely]] {
    announce_broadcast(team, dest, source, kBytes, nelems, root, routine);
  }
  canopy::shmem::broadcast(team, dest, source, saturated(nelems, kBytes), root, RootDest::untouched, routine);
}

template <size_t kBytes>
void aset_collect(void* dest, const void* source, size_t nelems, SHMEMX_ASET_PARAMETERS, long* pSync,
                  const char* routine) {
  Team& team = active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine);
  if (is_guarded(team)) [[unlikely]] {
    announce_collect(team, dest, source, kBytes, nelems, routine);
  }
  canopy::shmem::collect(team, dest, source, saturated(nelems, kBytes), routine);
}

template <size_t kBytes>
void aset_fcollect(void* dest, const void* source, size_t nelems, SHMEMX_ASET_PARAMETERS, long* pSync,
                   const char* routine) {
  Team& team = active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine);
  if (is_guarded(team)) [[unlikely]] {
    announce_fcollect(team, dest, source, kBytes, nelems, routine);
  }
  canopy::shmem::fcollect(team, dest, source, saturated(nelems, kBytes), routine);
}

}  // namespace
}  // namespace calls

extern "C" {


SHMEMX_RMA_TYPES(SHMEMX_COLLECTIVE_OF_TYPE, CANOPY_DEFINE)
SHMEMX_COLLECTIVE_FAMILY(CANOPY_DEFINE, , mem, 1, void)
SHMEMX_ASET_FAMILY(CANOPY_DEFINE, 32, 4)
SHMEMX_ASET_FAMILY(CANOPY_DEFINE, 64, 8)

void pshmem_barrier(SHMEMX_ASET_PARAMETERS, long* pSync) {
  calls::aset_barrier(SHMEMX_ASET_ARGUMENTS, pSync, "shmem_barrier");
}
void pshmem_sync(SHMEMX_ASET_PARAMETERS, long* pSync) {
  calls::aset_sync(SHMEMX_ASET_ARGUMENTS, pSync, "shmem_sync");
}

}  // extern "C"

CANOPY_ALIAS_OF(shmem_barrier, pshmem_barrier)
CANOPY_ALIAS_OF(shmem_sync, pshmem_sync)
