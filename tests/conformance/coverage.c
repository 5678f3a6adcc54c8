/* Stands in front of every routine: a shmem_X of the program's own, which notes that it was called
 * and calls pshmem_X. So this is the test of §10 as well: each routine can be replaced, and its
 * twin reached. C99, because C11's generics are macros with the names of some functions. */
#include "conformance.h"

#define NUMBER(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) ROW_##TAIL,
#define NUMBER_CTX(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) \
  ROW_##TAIL, ROW_ctx_##TAIL,
#define NUMBER_WHOLE(RESULT, NAME, PARAMETERS, ARGUMENTS) ROW_whole_##NAME,
enum {
  SHMEMX_ROUTINES_WITH_CTX(NUMBER_CTX) SHMEMX_ROUTINES_WITHOUT_CTX(NUMBER)
      SHMEMX_UNPREFIXED_ROUTINES(NUMBER_WHOLE) kRows
};

#define NAME(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) "shmem_" #TAIL,
#define NAME_CTX(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) \
  "shmem_" #TAIL, "shmem_ctx_" #TAIL,
#define NAME_WHOLE(RESULT, NAME, PARAMETERS, ARGUMENTS) #NAME,
static const char* const names[] = {SHMEMX_ROUTINES_WITH_CTX(NAME_CTX) SHMEMX_ROUTINES_WITHOUT_CTX(
    NAME) SHMEMX_UNPREFIXED_ROUTINES(NAME_WHOLE)};

/* Written by any thread, and only ever to 1. */
static volatile unsigned char called[kRows];

#define STAND_IN(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) \
  RESULT shmem_##TAIL PARAMETERS {                                        \
    called[ROW_##TAIL] = 1;                                               \
    return pshmem_##TAIL ARGUMENTS;                                       \
  }
#define STAND_IN_CTX(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) \
  STAND_IN(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS)           \
  RESULT shmem_ctx_##TAIL(shmem_ctx_t ctx, SHMEMX_LIST PARAMETERS) {          \
    called[ROW_ctx_##TAIL] = 1;                                               \
    return pshmem_ctx_##TAIL(ctx, SHMEMX_LIST ARGUMENTS);                     \
  }
#define STAND_IN_WHOLE(RESULT, NAME, PARAMETERS, ARGUMENTS) \
  RESULT NAME PARAMETERS {                                  \
    called[ROW_whole_##NAME] = 1;                           \
    return p##NAME ARGUMENTS;                               \
  }
SHMEMX_ROUTINES_WITH_CTX(STAND_IN_CTX)
SHMEMX_ROUTINES_WITHOUT_CTX(STAND_IN)
SHMEMX_UNPREFIXED_ROUTINES(STAND_IN_WHOLE)

const int rows_in_table = kRows;

int never_called(void) {
  int missing = 0;
  called[ROW_global_exit] = 1; /* ends the job: shmem.fault.global_exit */
  for (int row = 0; row < kRows; ++row) {
    if (!called[row]) {
      ++missing;
      if (shmem_my_pe() == 0) fprintf(stderr, "never called: %s\n", names[row]);
    }
  }
  return missing;
}
