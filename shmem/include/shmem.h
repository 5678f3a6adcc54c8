/* OpenSHMEM for C and C++ (specification 1.6). Conventions:
 *
 * - A symmetric address is this PE's own address of the object; routines translate it.
 * - Objects allocated by the routines below are symmetric; globals and statics are not yet.
 * - Misuse that is detected (an address that is not symmetric, a PE that does not exist, PEs that
 * ask for different sizes) prints one sentence and ends the job.
 * - Any thread may call; collective routines one thread of a PE at a time.
 *
 * Not here yet, and therefore not declared: contexts, teams, strided RMA, nonblocking AMOs,
 * collectives other than barrier_all and sync_all, array waits, locks, pshmem. The README has the
 * list. */
#ifndef SHMEM_H
#define SHMEM_H

#include <stddef.h>
#include <stdint.h>

#include "canopy/shmem_types.h"

#define SHMEM_MAJOR_VERSION 1
#define SHMEM_MINOR_VERSION 6
#define SHMEM_MAX_NAME_LEN 256
#define SHMEM_VENDOR_STRING "Canopy 0.1.0"

#define SHMEM_THREAD_SINGLE 0
#define SHMEM_THREAD_FUNNELED 1
#define SHMEM_THREAD_SERIALIZED 2
#define SHMEM_THREAD_MULTIPLE 3

#define SHMEM_CMP_EQ 0
#define SHMEM_CMP_NE 1
#define SHMEM_CMP_GT 2
#define SHMEM_CMP_GE 3
#define SHMEM_CMP_LT 4
#define SHMEM_CMP_LE 5

#define SHMEM_SIGNAL_SET 0
#define SHMEM_SIGNAL_ADD 1

#define SHMEM_MALLOC_ATOMICS_REMOTE 1L
#define SHMEM_MALLOC_SIGNAL_REMOTE 2L

#if defined(__cplusplus)
#define SHMEMX_NORETURN [[noreturn]]
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define SHMEMX_NORETURN _Noreturn
#else
#define SHMEMX_NORETURN
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Setup, exit, query. init and finalize are collective and counted: the last finalize leaves the
 * job. */
void shmem_init(void);
int shmem_init_thread(int requested, int* provided);
void shmem_query_thread(int* provided);
void shmem_query_initialized(int* initialized);
void shmem_finalize(void);
SHMEMX_NORETURN void shmem_global_exit(int status);
int shmem_my_pe(void);
int shmem_n_pes(void);
int shmem_pe_accessible(int pe);
int shmem_addr_accessible(const void* addr, int pe);
void* shmem_ptr(const void* dest, int pe);
void shmem_info_get_version(int* major, int* minor);
void shmem_info_get_name(char* name);

/* Memory: collective, with equal arguments on all PEs. NULL when the heap is full. */
void* shmem_malloc(size_t size);
void* shmem_malloc_with_hints(size_t size, long hints);
void* shmem_calloc(size_t count, size_t size);
void* shmem_align(size_t alignment, size_t size);
void* shmem_realloc(void* ptr, size_t size);
void shmem_free(void* ptr);

/* RMA. On return a put's source is reusable, a get's data is there; nbi forms promise that at
 * quiet. */
#define SHMEMX_DECLARE(NAME, TYPE, ...)                                                    \
  void shmem_##NAME##_put(TYPE* dest, const TYPE* source, size_t nelems, int pe);          \
  void shmem_##NAME##_get(TYPE* dest, const TYPE* source, size_t nelems, int pe);          \
  void shmem_##NAME##_put_nbi(TYPE* dest, const TYPE* source, size_t nelems, int pe);      \
  void shmem_##NAME##_get_nbi(TYPE* dest, const TYPE* source, size_t nelems, int pe);      \
  void shmem_##NAME##_p(TYPE* dest, TYPE value, int pe);                                   \
  TYPE shmem_##NAME##_g(const TYPE* source, int pe);                                       \
  void shmem_##NAME##_put_signal(TYPE* dest, const TYPE* source, size_t nelems,            \
                                 uint64_t* sig_addr, uint64_t signal, int sig_op, int pe); \
  void shmem_##NAME##_put_signal_nbi(TYPE* dest, const TYPE* source, size_t nelems,        \
                                     uint64_t* sig_addr, uint64_t signal, int sig_op, int pe);
SHMEMX_RMA_TYPES(SHMEMX_DECLARE, )
#undef SHMEMX_DECLARE

#define SHMEMX_DECLARE(BITS, BYTES, ...)                                                           \
  void shmem_put##BITS(void* dest, const void* source, size_t nelems, int pe);                     \
  void shmem_get##BITS(void* dest, const void* source, size_t nelems, int pe);                     \
  void shmem_put##BITS##_nbi(void* dest, const void* source, size_t nelems, int pe);               \
  void shmem_get##BITS##_nbi(void* dest, const void* source, size_t nelems, int pe);               \
  void shmem_put##BITS##_signal(void* dest, const void* source, size_t nelems, uint64_t* sig_addr, \
                                uint64_t signal, int sig_op, int pe);                              \
  void shmem_put##BITS##_signal_nbi(void* dest, const void* source, size_t nelems,                 \
                                    uint64_t* sig_addr, uint64_t signal, int sig_op, int pe);
SHMEMX_SIZES(SHMEMX_DECLARE, )
#undef SHMEMX_DECLARE

void shmem_putmem(void* dest, const void* source, size_t nelems, int pe);
void shmem_getmem(void* dest, const void* source, size_t nelems, int pe);
void shmem_putmem_nbi(void* dest, const void* source, size_t nelems, int pe);
void shmem_getmem_nbi(void* dest, const void* source, size_t nelems, int pe);
void shmem_putmem_signal(void* dest, const void* source, size_t nelems, uint64_t* sig_addr,
                         uint64_t signal, int sig_op, int pe);
void shmem_putmem_signal_nbi(void* dest, const void* source, size_t nelems, uint64_t* sig_addr,
                             uint64_t signal, int sig_op, int pe);

/* Signals. A wait returns the value that satisfied it; the data that it announces is then visible.
 */
void shmem_signal_set(uint64_t* sig_addr, uint64_t signal, int pe);
void shmem_signal_add(uint64_t* sig_addr, uint64_t signal, int pe);
uint64_t shmem_signal_fetch(const uint64_t* sig_addr);
uint64_t shmem_signal_wait_until(uint64_t* sig_addr, int cmp, uint64_t cmp_value);

/* Atomics: complete at the target on return. */
#define SHMEMX_DECLARE(NAME, TYPE, ...)                           \
  TYPE shmem_##NAME##_atomic_fetch(const TYPE* source, int pe);   \
  void shmem_##NAME##_atomic_set(TYPE* dest, TYPE value, int pe); \
  TYPE shmem_##NAME##_atomic_swap(TYPE* dest, TYPE value, int pe);
SHMEMX_AMO_TYPES(SHMEMX_DECLARE, )
SHMEMX_AMO_FLOAT_TYPES(SHMEMX_DECLARE, )
#undef SHMEMX_DECLARE
#define SHMEMX_DECLARE(NAME, TYPE, ...)                                               \
  TYPE shmem_##NAME##_atomic_compare_swap(TYPE* dest, TYPE cond, TYPE value, int pe); \
  TYPE shmem_##NAME##_atomic_fetch_inc(TYPE* dest, int pe);                           \
  void shmem_##NAME##_atomic_inc(TYPE* dest, int pe);                                 \
  TYPE shmem_##NAME##_atomic_fetch_add(TYPE* dest, TYPE value, int pe);               \
  void shmem_##NAME##_atomic_add(TYPE* dest, TYPE value, int pe);
SHMEMX_AMO_TYPES(SHMEMX_DECLARE, )
#undef SHMEMX_DECLARE
#define SHMEMX_DECLARE(NAME, TYPE, ...)                                 \
  TYPE shmem_##NAME##_atomic_fetch_and(TYPE* dest, TYPE value, int pe); \
  void shmem_##NAME##_atomic_and(TYPE* dest, TYPE value, int pe);       \
  TYPE shmem_##NAME##_atomic_fetch_or(TYPE* dest, TYPE value, int pe);  \
  void shmem_##NAME##_atomic_or(TYPE* dest, TYPE value, int pe);        \
  TYPE shmem_##NAME##_atomic_fetch_xor(TYPE* dest, TYPE value, int pe); \
  void shmem_##NAME##_atomic_xor(TYPE* dest, TYPE value, int pe);
SHMEMX_BIT_TYPES(SHMEMX_DECLARE, )
#undef SHMEMX_DECLARE

/* Waiting for a word of this PE that others change. */
#define SHMEMX_DECLARE(NAME, TYPE, ...)                                \
  void shmem_##NAME##_wait_until(TYPE* ivar, int cmp, TYPE cmp_value); \
  int shmem_##NAME##_test(TYPE* ivar, int cmp, TYPE cmp_value);
SHMEMX_AMO_TYPES(SHMEMX_DECLARE, )
SHMEMX_SHORT_TYPES(SHMEMX_DECLARE, )
#undef SHMEMX_DECLARE

/* Order and meeting. */
void shmem_fence(void);
void shmem_quiet(void);
void shmem_barrier_all(void);
void shmem_sync_all(void);

#ifdef __cplusplus
}
#endif

#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#include "canopy/shmem_generic.h"
#endif

#ifdef __cplusplus
#include "aclshmem.h"
#endif

#endif /* SHMEM_H */
