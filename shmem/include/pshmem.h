/* The name-shifted twins of shmem.h: pshmem_X does what shmem_X does, also where a program or a
 * profiler has put a shmem_X of its own in front. Names without the prefix get a p: pstart_pes,
 * pshmalloc. */
#ifndef PSHMEM_H
#define PSHMEM_H

#include "shmem.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SHMEMX_DECLARE_TWIN(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) \
  RESULT pshmem_##TAIL PARAMETERS;
#define SHMEMX_DECLARE_TWINS(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) \
  RESULT pshmem_##TAIL PARAMETERS;                                                    \
  RESULT pshmem_ctx_##TAIL(shmem_ctx_t ctx, SHMEMX_LIST PARAMETERS);
SHMEMX_ROUTINES_WITH_CTX(SHMEMX_DECLARE_TWINS)
SHMEMX_ROUTINES_WITHOUT_CTX(SHMEMX_DECLARE_TWIN)
#undef SHMEMX_DECLARE_TWIN
#undef SHMEMX_DECLARE_TWINS

void pshmem_pcontrol(int level, ...);

#define SHMEMX_DECLARE_WHOLE(RESULT, NAME, PARAMETERS, ARGUMENTS) RESULT p##NAME PARAMETERS;
SHMEMX_UNPREFIXED_ROUTINES(SHMEMX_DECLARE_WHOLE)
#undef SHMEMX_DECLARE_WHOLE

#ifdef __cplusplus
}
#endif

#endif /* PSHMEM_H */
