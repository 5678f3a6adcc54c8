// shmem.h: collectives that move data, of teams and of active sets.
#include "shmem/collectives/collectives.h"

#include "shmem/api/active_set.h"
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

int alltoall_of(Team& team, void* dest, const void* source, size_t element, size_t nelems, const char* routine) {
  canopy::shmem::alltoall(team, dest, source, saturated(nelems, element), routine);
  return 0;
}
BOTH(alltoall, (size_t nelems, const char* routine), (nelems, routine))

int alltoalls_of(Team& team, void* dest, const void* source, size_t element, ptrdiff_t dst, ptrdiff_t sst,
                 size_t nelems, const char* routine) {
  canopy::shmem::alltoalls(team, dest, source, nelems, {dst, sst, element}, routine);
  return 0;
}
BOTH(alltoalls, (ptrdiff_t dst, ptrdiff_t sst, size_t nelems, const char* routine), (dst, sst, nelems, routine))

int broadcast_of(Team& team, void* dest, const void* source, size_t element, size_t nelems, int root,
                 const char* routine) {
  require_member(team, root, routine);
  canopy::shmem::broadcast(team, dest, source, saturated(nelems, element), root, RootDest::written, routine);
  return 0;
}
BOTH(broadcast, (size_t nelems, int root, const char* routine), (nelems, root, routine))

int collect_of(Team& team, void* dest, const void* source, size_t element, size_t nelems, const char* routine) {
  canopy::shmem::collect(team, dest, source, saturated(nelems, element), routine);
  return 0;
}
BOTH(collect, (size_t nelems, const char* routine), (nelems, routine))

int fcollect_of(Team& team, void* dest, const void* source, size_t element, size_t nelems, const char* routine) {
  canopy::shmem::fcollect(team, dest, source, saturated(nelems, element), routine);
  return 0;
}
BOTH(fcollect, (size_t nelems, const char* routine), (nelems, routine))
#undef BOTH

// ---- Of active sets.

void aset_sync(SHMEMX_ASET_PARAMETERS, long* pSync, const char* routine) {
  active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine).sync(routine);
}

void aset_barrier(SHMEMX_ASET_PARAMETERS, long* pSync, const char* routine) {
  Team& team = active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine);
  team.quiet(routine);
  team.sync(routine);
}

template <size_t kBytes>
void aset_alltoall(void* dest, const void* source, size_t nelems, SHMEMX_ASET_PARAMETERS, long* pSync,
                   const char* routine) {
  canopy::shmem::alltoall(active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine), dest, source, saturated(nelems, kBytes), routine);
}

template <size_t kBytes>
void aset_alltoalls(void* dest, const void* source, ptrdiff_t dst, ptrdiff_t sst, size_t nelems,
                    SHMEMX_ASET_PARAMETERS, long* pSync, const char* routine) {
  canopy::shmem::alltoalls(active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine), dest, source, nelems,
                           {dst, sst, kBytes}, routine);
}

template <size_t kBytes>
void aset_broadcast(void* dest, const void* source, size_t nelems, int root, SHMEMX_ASET_PARAMETERS, long* pSync,
                    const char* routine) {
  Team& team = active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine);
  require_member(team, root, routine);
  canopy::shmem::broadcast(team, dest, source, saturated(nelems, kBytes), root, RootDest::untouched, routine);
}

template <size_t kBytes>
void aset_collect(void* dest, const void* source, size_t nelems, SHMEMX_ASET_PARAMETERS, long* pSync,
                  const char* routine) {
  canopy::shmem::collect(active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine), dest, source, saturated(nelems, kBytes), routine);
}

template <size_t kBytes>
void aset_fcollect(void* dest, const void* source, size_t nelems, SHMEMX_ASET_PARAMETERS, long* pSync,
                   const char* routine) {
  canopy::shmem::fcollect(active_set({SHMEMX_ASET_ARGUMENTS}, pSync, routine), dest, source, saturated(nelems, kBytes), routine);
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
