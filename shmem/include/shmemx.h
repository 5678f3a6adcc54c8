/* Canopy's extensions to OpenSHMEM. */
#ifndef SHMEMX_H
#define SHMEMX_H

#include <stdint.h>

#include "shmem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Operations that this process issued, by who issued them. A put-with-signal counts as one put and
 * one signal; g, test and array forms count as what they are. shmem_* calls count as the host's. */
typedef struct shmemx_op_counts_t {
  uint64_t host_puts, host_gets, host_signals, host_atomics, host_waits, host_barriers;
  uint64_t kernel_puts, kernel_gets, kernel_signals, kernel_atomics, kernel_waits, kernel_barriers;
  /* How often a kernel waited for room in its core's ring of requests to PEs on other hosts. */
  uint64_t kernel_rings_full;
} shmemx_op_counts_t;

/* Since init. Exact once the threads and streams that issued have been synchronised with. */
void shmemx_op_counts(shmemx_op_counts_t* counts);

/* Makes the executable's globals and statics symmetric. For .preinit_array only: what oshcc and
 * oshc++ link in, and the CMake target Canopy::shmem_globals, calls it before any constructor. */
void shmemx_symmetric_globals(void);

/* How the path to `pe` was chosen and proved, as one line. Writes at most `bytes` bytes, NUL
 * included; returns the length of the whole line, -1 when there is no such PE. */
int shmemx_why(int pe, char* text, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* SHMEMX_H */
