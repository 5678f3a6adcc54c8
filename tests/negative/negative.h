/* One program of small cases: each makes one mistake when it is asked to, and is a correct program when
 * not. run.sh runs both and judges by exit status and sentence. */
#ifndef NEGATIVE_H
#define NEGATIVE_H

#include <shmem.h>
#include <shmemx.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After shmem_init, and before shmem_finalize. */
typedef void (*negative_case)(int wrong);
struct negative {
  const char* name;
  negative_case run;
  int before_init; /* the case itself initialises, when it is right */
};

extern const struct negative operation_cases[], heap_cases[], collective_cases[], wait_cases[], setup_cases[];

static inline int next_pe(void) { return (shmem_my_pe() + 1) % shmem_n_pes(); }

#endif
