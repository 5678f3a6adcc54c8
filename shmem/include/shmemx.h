/* Canopy's extensions to OpenSHMEM. */
#ifndef SHMEMX_H
#define SHMEMX_H

#include <stddef.h>
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

/* The symmetric heaps, which are the same on every PE: bytes in all, bytes that are free, how many of them
 * one block could have (what lies between live blocks is no use to a larger one), and live blocks. The
 * device's are 0 while there is no device heap. */
typedef struct shmemx_heap_info_t {
  size_t bytes, free_bytes, largest_free, live_blocks;
  size_t device_bytes, device_free_bytes, device_largest_free, device_live_blocks;
} shmemx_heap_info_t;

/* Of this moment. Local; any thread, between init and finalize. */
void shmemx_heap_info(shmemx_heap_info_t* info);

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
