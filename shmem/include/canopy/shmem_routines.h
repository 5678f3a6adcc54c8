/* Every routine of shmem.h, as lists of rows
 *
 *   R(RESULT, TAIL, OPERATION, ELEMENT, (PARAMETERS), (ARGUMENTS))
 *
 * shmem_TAIL is the routine, shmem_ctx_TAIL its form with a context where the list has such forms,
 * pshmem_TAIL and pshmem_ctx_TAIL the twins that profilers call. What is the same for all types and
 * sizes has one OPERATION; its ELEMENT is the C type, or the number of bytes. Declarations (shmem.h,
 * pshmem.h), definitions (the library), the overloads of C++ and the tests' counting all come from
 * these lists, so a routine exists in all of them or in none.
 *
 * A FAMILY is written once for its typed, sized and byte forms: A comes before the operation's name, B
 * after it, E is the element and T what the pointers point to. */
#ifndef CANOPY_SHMEM_ROUTINES_H
#define CANOPY_SHMEM_ROUTINES_H

#include "canopy/shmem_types.h"

/* ---- RMA. All have forms with a context. */
#define SHMEMX_PUT_GET_FAMILY(R, A, B, E, T)                                               \
  R(void, A##put##B, put, E, (T * dest, const T* source, size_t nelems, int pe),           \
    (dest, source, nelems, pe))                                                            \
  R(void, A##get##B, get, E, (T * dest, const T* source, size_t nelems, int pe),           \
    (dest, source, nelems, pe))                                                            \
  R(void, A##put##B##_nbi, put_nbi, E, (T * dest, const T* source, size_t nelems, int pe), \
    (dest, source, nelems, pe))                                                            \
  R(void, A##get##B##_nbi, get_nbi, E, (T * dest, const T* source, size_t nelems, int pe), \
    (dest, source, nelems, pe))
#define SHMEMX_PUT_GET_OF_TYPE(NAME, TYPE, R) SHMEMX_PUT_GET_FAMILY(R, NAME##_, , TYPE, TYPE)
#define SHMEMX_PUT_GET_OF_SIZE(BITS, BYTES, R) SHMEMX_PUT_GET_FAMILY(R, , BITS, BYTES, void)
#define SHMEMX_PUT_GET_ROUTINES(R)          \
  SHMEMX_RMA_TYPES(SHMEMX_PUT_GET_OF_TYPE, R) \
  SHMEMX_SIZES(SHMEMX_PUT_GET_OF_SIZE, R)     \
  SHMEMX_PUT_GET_FAMILY(R, , mem, 1, void)

#define SHMEMX_SCALAR_OF_TYPE(NAME, TYPE, R)                                      \
  R(void, NAME##_p, p, TYPE, (TYPE * dest, TYPE value, int pe), (dest, value, pe)) \
  R(TYPE, NAME##_g, g, TYPE, (const TYPE* source, int pe), (source, pe))
#define SHMEMX_SCALAR_ROUTINES(R) SHMEMX_RMA_TYPES(SHMEMX_SCALAR_OF_TYPE, R)

#define SHMEMX_STRIDED_FAMILY(R, A, B, E, T)                                                       \
  R(void, A##iput##B, iput, E,                                                                     \
    (T * dest, const T* source, ptrdiff_t dst, ptrdiff_t sst, size_t nelems, int pe),              \
    (dest, source, dst, sst, nelems, pe))                                                          \
  R(void, A##iget##B, iget, E,                                                                     \
    (T * dest, const T* source, ptrdiff_t dst, ptrdiff_t sst, size_t nelems, int pe),              \
    (dest, source, dst, sst, nelems, pe))                                                          \
  R(void, A##ibput##B, ibput, E,                                                                   \
    (T * dest, const T* source, ptrdiff_t dst, ptrdiff_t sst, size_t bsize, size_t nblocks, int pe), \
    (dest, source, dst, sst, bsize, nblocks, pe))                                                  \
  R(void, A##ibget##B, ibget, E,                                                                   \
    (T * dest, const T* source, ptrdiff_t dst, ptrdiff_t sst, size_t bsize, size_t nblocks, int pe), \
    (dest, source, dst, sst, bsize, nblocks, pe))
#define SHMEMX_STRIDED_OF_TYPE(NAME, TYPE, R) SHMEMX_STRIDED_FAMILY(R, NAME##_, , TYPE, TYPE)
#define SHMEMX_STRIDED_OF_SIZE(BITS, BYTES, R) SHMEMX_STRIDED_FAMILY(R, , BITS, BYTES, void)
#define SHMEMX_STRIDED_ROUTINES(R)          \
  SHMEMX_RMA_TYPES(SHMEMX_STRIDED_OF_TYPE, R) \
  SHMEMX_SIZES(SHMEMX_STRIDED_OF_SIZE, R)

/* ---- Signals. Forms with a context, but for the last list. */
#define SHMEMX_PUT_SIGNAL_FAMILY(R, A, B, E, T)                                               \
  R(void, A##put##B##_signal, put_signal, E,                                                  \
    (T * dest, const T* source, size_t nelems, uint64_t* sig_addr, uint64_t signal, int sig_op, \
     int pe),                                                                                 \
    (dest, source, nelems, sig_addr, signal, sig_op, pe))                                     \
  R(void, A##put##B##_signal_nbi, put_signal_nbi, E,                                          \
    (T * dest, const T* source, size_t nelems, uint64_t* sig_addr, uint64_t signal, int sig_op, \
     int pe),                                                                                 \
    (dest, source, nelems, sig_addr, signal, sig_op, pe))
#define SHMEMX_PUT_SIGNAL_OF_TYPE(NAME, TYPE, R) SHMEMX_PUT_SIGNAL_FAMILY(R, NAME##_, , TYPE, TYPE)
#define SHMEMX_PUT_SIGNAL_OF_SIZE(BITS, BYTES, R) SHMEMX_PUT_SIGNAL_FAMILY(R, , BITS, BYTES, void)
#define SHMEMX_PUT_SIGNAL_ROUTINES(R)          \
  SHMEMX_RMA_TYPES(SHMEMX_PUT_SIGNAL_OF_TYPE, R) \
  SHMEMX_SIZES(SHMEMX_PUT_SIGNAL_OF_SIZE, R)     \
  SHMEMX_PUT_SIGNAL_FAMILY(R, , mem, 1, void)

#define SHMEMX_SIGNAL_ROUTINES(R)                                                             \
  R(void, signal_set, signal_set, uint64_t, (uint64_t * sig_addr, uint64_t signal, int pe),   \
    (sig_addr, signal, pe))                                                                   \
  R(void, signal_add, signal_add, uint64_t, (uint64_t * sig_addr, uint64_t signal, int pe),   \
    (sig_addr, signal, pe))

/* ---- Atomics. All have forms with a context. */
#define SHMEMX_AMO_EXTENDED_OF_TYPE(NAME, TYPE, R)                                                 \
  R(TYPE, NAME##_atomic_fetch, atomic_fetch, TYPE, (const TYPE* source, int pe), (source, pe))     \
  R(void, NAME##_atomic_set, atomic_set, TYPE, (TYPE * dest, TYPE value, int pe),                  \
    (dest, value, pe))                                                                             \
  R(TYPE, NAME##_atomic_swap, atomic_swap, TYPE, (TYPE * dest, TYPE value, int pe),                \
    (dest, value, pe))
#define SHMEMX_AMO_STANDARD_OF_TYPE(NAME, TYPE, R)                                                 \
  R(TYPE, NAME##_atomic_compare_swap, atomic_compare_swap, TYPE,                                   \
    (TYPE * dest, TYPE cond, TYPE value, int pe), (dest, cond, value, pe))                         \
  R(TYPE, NAME##_atomic_fetch_inc, atomic_fetch_inc, TYPE, (TYPE * dest, int pe), (dest, pe))      \
  R(void, NAME##_atomic_inc, atomic_inc, TYPE, (TYPE * dest, int pe), (dest, pe))                  \
  R(TYPE, NAME##_atomic_fetch_add, atomic_fetch_add, TYPE, (TYPE * dest, TYPE value, int pe),      \
    (dest, value, pe))                                                                             \
  R(void, NAME##_atomic_add, atomic_add, TYPE, (TYPE * dest, TYPE value, int pe), (dest, value, pe))
#define SHMEMX_AMO_BIT(R, NAME, TYPE, OP) \
  R(TYPE, NAME##_##OP, OP, TYPE, (TYPE * dest, TYPE value, int pe), (dest, value, pe))
#define SHMEMX_AMO_BIT_VOID(R, NAME, TYPE, OP) \
  R(void, NAME##_##OP, OP, TYPE, (TYPE * dest, TYPE value, int pe), (dest, value, pe))
#define SHMEMX_AMO_BIT_OF_TYPE(NAME, TYPE, R)       \
  SHMEMX_AMO_BIT(R, NAME, TYPE, atomic_fetch_and)   \
  SHMEMX_AMO_BIT_VOID(R, NAME, TYPE, atomic_and)    \
  SHMEMX_AMO_BIT(R, NAME, TYPE, atomic_fetch_or)    \
  SHMEMX_AMO_BIT_VOID(R, NAME, TYPE, atomic_or)     \
  SHMEMX_AMO_BIT(R, NAME, TYPE, atomic_fetch_xor)   \
  SHMEMX_AMO_BIT_VOID(R, NAME, TYPE, atomic_xor)
#define SHMEMX_AMO_ROUTINES(R)                              \
  SHMEMX_AMO_TYPES(SHMEMX_AMO_EXTENDED_OF_TYPE, R)          \
  SHMEMX_AMO_FLOAT_TYPES(SHMEMX_AMO_EXTENDED_OF_TYPE, R)    \
  SHMEMX_AMO_TYPES(SHMEMX_AMO_STANDARD_OF_TYPE, R)          \
  SHMEMX_BIT_TYPES(SHMEMX_AMO_BIT_OF_TYPE, R)

/* Nonblocking: *fetch holds the old value after a quiet. */
#define SHMEMX_AMO_NBI(R, NAME, TYPE, OP)                                                  \
  R(void, NAME##_##OP, OP, TYPE, (TYPE * fetch, TYPE * dest, TYPE value, int pe),          \
    (fetch, dest, value, pe))
#define SHMEMX_AMO_NBI_EXTENDED_OF_TYPE(NAME, TYPE, R)                              \
  R(void, NAME##_atomic_fetch_nbi, atomic_fetch_nbi, TYPE,                          \
    (TYPE * fetch, const TYPE* source, int pe), (fetch, source, pe))                \
  SHMEMX_AMO_NBI(R, NAME, TYPE, atomic_swap_nbi)
#define SHMEMX_AMO_NBI_STANDARD_OF_TYPE(NAME, TYPE, R)                                       \
  R(void, NAME##_atomic_compare_swap_nbi, atomic_compare_swap_nbi, TYPE,                     \
    (TYPE * fetch, TYPE * dest, TYPE cond, TYPE value, int pe), (fetch, dest, cond, value, pe)) \
  R(void, NAME##_atomic_fetch_inc_nbi, atomic_fetch_inc_nbi, TYPE,                           \
    (TYPE * fetch, TYPE * dest, int pe), (fetch, dest, pe))                                  \
  SHMEMX_AMO_NBI(R, NAME, TYPE, atomic_fetch_add_nbi)
#define SHMEMX_AMO_NBI_BIT_OF_TYPE(NAME, TYPE, R)       \
  SHMEMX_AMO_NBI(R, NAME, TYPE, atomic_fetch_and_nbi)   \
  SHMEMX_AMO_NBI(R, NAME, TYPE, atomic_fetch_or_nbi)    \
  SHMEMX_AMO_NBI(R, NAME, TYPE, atomic_fetch_xor_nbi)
#define SHMEMX_AMO_NBI_ROUTINES(R)                              \
  SHMEMX_AMO_TYPES(SHMEMX_AMO_NBI_EXTENDED_OF_TYPE, R)          \
  SHMEMX_AMO_FLOAT_TYPES(SHMEMX_AMO_NBI_EXTENDED_OF_TYPE, R)    \
  SHMEMX_AMO_TYPES(SHMEMX_AMO_NBI_STANDARD_OF_TYPE, R)          \
  SHMEMX_BIT_TYPES(SHMEMX_AMO_NBI_BIT_OF_TYPE, R)

/* ---- Waiting for words of this PE that others change. No forms with a context. */
#define SHMEMX_WAIT_SCALAR_OF_TYPE(NAME, TYPE, R)                                                  \
  R(void, NAME##_wait_until, wait_until, TYPE, (TYPE * ivar, int cmp, TYPE cmp_value),             \
    (ivar, cmp, cmp_value))                                                                        \
  R(int, NAME##_test, test, TYPE, (TYPE * ivar, int cmp, TYPE cmp_value), (ivar, cmp, cmp_value))
#define SHMEMX_WAIT_ARRAY_FAMILY(R, NAME, TYPE, B, VALUES, VALUE)                                  \
  R(void, NAME##_wait_until_all##B, wait_until_all##B, TYPE,                                       \
    (TYPE * ivars, size_t nelems, const int* status, int cmp, VALUES),                             \
    (ivars, nelems, status, cmp, VALUE))                                                           \
  R(size_t, NAME##_wait_until_any##B, wait_until_any##B, TYPE,                                     \
    (TYPE * ivars, size_t nelems, const int* status, int cmp, VALUES),                             \
    (ivars, nelems, status, cmp, VALUE))                                                           \
  R(size_t, NAME##_wait_until_some##B, wait_until_some##B, TYPE,                                   \
    (TYPE * ivars, size_t nelems, size_t* indices, const int* status, int cmp, VALUES),            \
    (ivars, nelems, indices, status, cmp, VALUE))                                                  \
  R(int, NAME##_test_all##B, test_all##B, TYPE,                                                    \
    (TYPE * ivars, size_t nelems, const int* status, int cmp, VALUES),                             \
    (ivars, nelems, status, cmp, VALUE))                                                           \
  R(size_t, NAME##_test_any##B, test_any##B, TYPE,                                                 \
    (TYPE * ivars, size_t nelems, const int* status, int cmp, VALUES),                             \
    (ivars, nelems, status, cmp, VALUE))                                                           \
  R(size_t, NAME##_test_some##B, test_some##B, TYPE,                                               \
    (TYPE * ivars, size_t nelems, size_t* indices, const int* status, int cmp, VALUES),            \
    (ivars, nelems, indices, status, cmp, VALUE))
#define SHMEMX_WAIT_ARRAY_OF_TYPE(NAME, TYPE, R)                              \
  SHMEMX_WAIT_ARRAY_FAMILY(R, NAME, TYPE, , TYPE cmp_value, cmp_value)        \
  SHMEMX_WAIT_ARRAY_FAMILY(R, NAME, TYPE, _vector, const TYPE* cmp_values, cmp_values)
#define SHMEMX_OLD_WAIT_OF_TYPE(NAME, TYPE, R) \
  R(void, NAME##_wait, wait, TYPE, (TYPE * ivar, TYPE cmp_value), (ivar, cmp_value))
#define SHMEMX_WAIT_ROUTINES(R)                        \
  SHMEMX_AMO_TYPES(SHMEMX_WAIT_SCALAR_OF_TYPE, R)      \
  SHMEMX_SHORT_TYPES(SHMEMX_WAIT_SCALAR_OF_TYPE, R)    \
  SHMEMX_AMO_TYPES(SHMEMX_WAIT_ARRAY_OF_TYPE, R)       \
  SHMEMX_OLD_WAIT_TYPES(SHMEMX_OLD_WAIT_OF_TYPE, R)    \
  R(void, wait, wait, long, (long* ivar, long cmp_value), (ivar, cmp_value)) \
  R(void, wait_until, wait_until, long, (long* ivar, int cmp, long cmp_value), (ivar, cmp, cmp_value))
#define SHMEMX_SIGNAL_WAIT_ROUTINES(R)                                                          \
  R(uint64_t, signal_fetch, signal_fetch, uint64_t, (const uint64_t* sig_addr), (sig_addr))     \
  R(uint64_t, signal_wait_until, signal_wait_until, uint64_t,                                   \
    (uint64_t * sig_addr, int cmp, uint64_t cmp_value), (sig_addr, cmp, cmp_value))

/* ---- AMOs under their names before 1.4. No forms with a context. */
#define SHMEMX_OLD_AMO_EXTENDED_OF_TYPE(NAME, TYPE, R)                                 \
  R(TYPE, NAME##_fetch, fetch, TYPE, (const TYPE* source, int pe), (source, pe))       \
  R(void, NAME##_set, set, TYPE, (TYPE * dest, TYPE value, int pe), (dest, value, pe)) \
  R(TYPE, NAME##_swap, swap, TYPE, (TYPE * dest, TYPE value, int pe), (dest, value, pe))
#define SHMEMX_OLD_AMO_STANDARD_OF_TYPE(NAME, TYPE, R)                                        \
  R(TYPE, NAME##_cswap, cswap, TYPE, (TYPE * dest, TYPE cond, TYPE value, int pe),            \
    (dest, cond, value, pe))                                                                  \
  R(TYPE, NAME##_finc, finc, TYPE, (TYPE * dest, int pe), (dest, pe))                         \
  R(void, NAME##_inc, inc, TYPE, (TYPE * dest, int pe), (dest, pe))                           \
  R(TYPE, NAME##_fadd, fadd, TYPE, (TYPE * dest, TYPE value, int pe), (dest, value, pe))      \
  R(void, NAME##_add, add, TYPE, (TYPE * dest, TYPE value, int pe), (dest, value, pe))
#define SHMEMX_OLD_AMO_ROUTINES(R)                              \
  SHMEMX_AMO_FLOAT_TYPES(SHMEMX_OLD_AMO_EXTENDED_OF_TYPE, R)    \
  SHMEMX_OLD_AMO_TYPES(SHMEMX_OLD_AMO_EXTENDED_OF_TYPE, R)      \
  SHMEMX_OLD_AMO_TYPES(SHMEMX_OLD_AMO_STANDARD_OF_TYPE, R)

/* ---- Single routines. No further forms. */
#define SHMEMX_SETUP_ROUTINES(R)                                                                   \
  R(void, init, init, , (void), ())                                                                \
  R(int, init_thread, init_thread, , (int requested, int* provided), (requested, provided))        \
  R(void, query_thread, query_thread, , (int* provided), (provided))                               \
  R(void, query_initialized, query_initialized, , (int* initialized), (initialized))               \
  R(void, finalize, finalize, , (void), ())                                                        \
  R(SHMEMX_NORETURN void, global_exit, global_exit, , (int status), (status))                      \
  R(int, my_pe, my_pe, , (void), ())                                                               \
  R(int, n_pes, n_pes, , (void), ())                                                               \
  R(int, pe_accessible, pe_accessible, , (int pe), (pe))                                           \
  R(int, addr_accessible, addr_accessible, , (const void* addr, int pe), (addr, pe))               \
  R(void*, ptr, ptr, , (const void* dest, int pe), (dest, pe))                                     \
  R(void, info_get_version, info_get_version, , (int* major, int* minor), (major, minor))          \
  R(void, info_get_name, info_get_name, , (char* name), (name))

#define SHMEMX_MEMORY_ROUTINES(R)                                                                  \
  R(void*, malloc, malloc, , (size_t size), (size))                                                \
  R(void*, malloc_with_hints, malloc_with_hints, , (size_t size, long hints), (size, hints))       \
  R(void*, calloc, calloc, , (size_t count, size_t size), (count, size))                           \
  R(void*, align, align, , (size_t alignment, size_t size), (alignment, size))                     \
  R(void*, realloc, realloc, , (void* ptr, size_t size), (ptr, size))                              \
  R(void, free, free, , (void* ptr), (ptr))

#define SHMEMX_CONTEXT_ROUTINES(R)                                                                 \
  R(int, ctx_create, ctx_create, , (long options, shmem_ctx_t* ctx), (options, ctx))               \
  R(void, ctx_destroy, ctx_destroy, , (shmem_ctx_t ctx), (ctx))                                    \
  R(void, ctx_session_start, ctx_session_start, ,                                                  \
    (shmem_ctx_t ctx, long options, const shmem_ctx_session_config_t* config, long config_mask),   \
    (ctx, options, config, config_mask))                                                           \
  R(void, ctx_session_stop, ctx_session_stop, , (shmem_ctx_t ctx), (ctx))

#define SHMEMX_ORDER_ROUTINES(R)                                                                   \
  R(void, fence, fence, , (void), ())                                                              \
  R(void, ctx_fence, ctx_fence, , (shmem_ctx_t ctx), (ctx))                                        \
  R(void, quiet, quiet, , (void), ())                                                              \
  R(void, ctx_quiet, ctx_quiet, , (shmem_ctx_t ctx), (ctx))                                        \
  R(void, pe_quiet, pe_quiet, , (const int* target_pes, size_t npes), (target_pes, npes))          \
  R(void, ctx_pe_quiet, ctx_pe_quiet, , (shmem_ctx_t ctx, const int* target_pes, size_t npes),     \
    (ctx, target_pes, npes))

#define SHMEMX_MEETING_ROUTINES(R)                     \
  R(void, barrier_all, barrier_all, , (void), ())      \
  R(void, sync_all, sync_all, , (void), ())

#define SHMEMX_LOCK_ROUTINES(R)                        \
  R(void, set_lock, set_lock, , (long* lock), (lock))  \
  R(void, clear_lock, clear_lock, , (long* lock), (lock)) \
  R(int, test_lock, test_lock, , (long* lock), (lock))

/* ---- Teams. */
#define SHMEMX_TEAM_ROUTINES(R)                                                                    \
  R(int, team_my_pe, team_my_pe, , (shmem_team_t team), (team))                                    \
  R(int, team_n_pes, team_n_pes, , (shmem_team_t team), (team))                                    \
  R(int, team_get_config, team_get_config, ,                                                       \
    (shmem_team_t team, long config_mask, shmem_team_config_t* config), (team, config_mask, config)) \
  R(int, team_translate_pe, team_translate_pe, ,                                                   \
    (shmem_team_t src_team, int src_pe, shmem_team_t dest_team), (src_team, src_pe, dest_team))    \
  R(int, team_split_strided, team_split_strided, ,                                                 \
    (shmem_team_t parent_team, int start, int stride, int size, const shmem_team_config_t* config, \
     long config_mask, shmem_team_t* new_team),                                                    \
    (parent_team, start, stride, size, config, config_mask, new_team))                             \
  R(int, team_split_2d, team_split_2d, ,                                                           \
    (shmem_team_t parent_team, int xrange, const shmem_team_config_t* xaxis_config, long xaxis_mask, \
     shmem_team_t* xaxis_team, const shmem_team_config_t* yaxis_config, long yaxis_mask,           \
     shmem_team_t* yaxis_team),                                                                    \
    (parent_team, xrange, xaxis_config, xaxis_mask, xaxis_team, yaxis_config, yaxis_mask, yaxis_team)) \
  R(void, team_destroy, team_destroy, , (shmem_team_t team), (team))                               \
  R(void*, team_ptr, team_ptr, , (shmem_team_t team, const void* dest, int pe), (team, dest, pe))  \
  R(int, team_create_ctx, team_create_ctx, , (shmem_team_t team, long options, shmem_ctx_t* ctx),  \
    (team, options, ctx))                                                                          \
  R(int, ctx_get_team, ctx_get_team, , (shmem_ctx_t ctx, shmem_team_t* team), (ctx, team))         \
  R(int, team_sync, team_sync, , (shmem_team_t team), (team))

/* ---- Collectives of teams. */
#define SHMEMX_COLLECTIVE_FAMILY(R, A, B, E, T)                                                    \
  R(int, A##alltoall##B, alltoall, E,                                                              \
    (shmem_team_t team, T * dest, const T* source, size_t nelems), (team, dest, source, nelems))   \
  R(int, A##alltoalls##B, alltoalls, E,                                                            \
    (shmem_team_t team, T * dest, const T* source, ptrdiff_t dst, ptrdiff_t sst, size_t nelems),   \
    (team, dest, source, dst, sst, nelems))                                                        \
  R(int, A##broadcast##B, broadcast, E,                                                            \
    (shmem_team_t team, T * dest, const T* source, size_t nelems, int PE_root),                    \
    (team, dest, source, nelems, PE_root))                                                         \
  R(int, A##collect##B, collect, E,                                                                \
    (shmem_team_t team, T * dest, const T* source, size_t nelems), (team, dest, source, nelems))   \
  R(int, A##fcollect##B, fcollect, E,                                                              \
    (shmem_team_t team, T * dest, const T* source, size_t nelems), (team, dest, source, nelems))
#define SHMEMX_COLLECTIVE_OF_TYPE(NAME, TYPE, R) SHMEMX_COLLECTIVE_FAMILY(R, NAME##_, , TYPE, TYPE)

#define SHMEMX_REDUCE(R, NAME, TYPE, OP)                                                           \
  R(int, NAME##_##OP, OP, TYPE, (shmem_team_t team, TYPE * dest, const TYPE* source, size_t nelems), \
    (team, dest, source, nelems))
#define SHMEMX_BIT_REDUCE_OF_TYPE(NAME, TYPE, R) \
  SHMEMX_REDUCE(R, NAME, TYPE, and_reduce)       \
  SHMEMX_REDUCE(R, NAME, TYPE, or_reduce)        \
  SHMEMX_REDUCE(R, NAME, TYPE, xor_reduce)
#define SHMEMX_ORDER_REDUCE_OF_TYPE(NAME, TYPE, R) \
  SHMEMX_REDUCE(R, NAME, TYPE, max_reduce)         \
  SHMEMX_REDUCE(R, NAME, TYPE, min_reduce)
#define SHMEMX_SUM_REDUCE_OF_TYPE(NAME, TYPE, R) \
  SHMEMX_REDUCE(R, NAME, TYPE, sum_reduce)       \
  SHMEMX_REDUCE(R, NAME, TYPE, prod_reduce)      \
  SHMEMX_REDUCE(R, NAME, TYPE, sum_inscan)       \
  SHMEMX_REDUCE(R, NAME, TYPE, sum_exscan)
#define SHMEMX_COLLECTIVE_ROUTINES(R)                 \
  SHMEMX_RMA_TYPES(SHMEMX_COLLECTIVE_OF_TYPE, R)      \
  SHMEMX_COLLECTIVE_FAMILY(R, , mem, 1, void)         \
  SHMEMX_BIT_REDUCE_TYPES(SHMEMX_BIT_REDUCE_OF_TYPE, R) \
  SHMEMX_RMA_TYPES(SHMEMX_ORDER_REDUCE_OF_TYPE, R)    \
  SHMEMX_RMA_TYPES(SHMEMX_SUM_REDUCE_OF_TYPE, R)      \
  SHMEMX_COMPLEX_TYPES(SHMEMX_SUM_REDUCE_OF_TYPE, R)

/* ---- Collectives of active sets, deprecated in 1.5. */
#define SHMEMX_ASET_PARAMETERS int PE_start, int logPE_stride, int PE_size
#define SHMEMX_ASET_ARGUMENTS PE_start, logPE_stride, PE_size
#define SHMEMX_ASET_FAMILY(R, BITS, BYTES)                                                         \
  R(void, alltoall##BITS, aset_alltoall, BYTES,                                                    \
    (void* dest, const void* source, size_t nelems, SHMEMX_ASET_PARAMETERS, long* pSync),          \
    (dest, source, nelems, SHMEMX_ASET_ARGUMENTS, pSync))                                          \
  R(void, alltoalls##BITS, aset_alltoalls, BYTES,                                                  \
    (void* dest, const void* source, ptrdiff_t dst, ptrdiff_t sst, size_t nelems, SHMEMX_ASET_PARAMETERS, \
     long* pSync),                                                                                 \
    (dest, source, dst, sst, nelems, SHMEMX_ASET_ARGUMENTS, pSync))                                \
  R(void, broadcast##BITS, aset_broadcast, BYTES,                                                  \
    (void* dest, const void* source, size_t nelems, int PE_root, SHMEMX_ASET_PARAMETERS, long* pSync), \
    (dest, source, nelems, PE_root, SHMEMX_ASET_ARGUMENTS, pSync))                                 \
  R(void, collect##BITS, aset_collect, BYTES,                                                      \
    (void* dest, const void* source, size_t nelems, SHMEMX_ASET_PARAMETERS, long* pSync),          \
    (dest, source, nelems, SHMEMX_ASET_ARGUMENTS, pSync))                                          \
  R(void, fcollect##BITS, aset_fcollect, BYTES,                                                    \
    (void* dest, const void* source, size_t nelems, SHMEMX_ASET_PARAMETERS, long* pSync),          \
    (dest, source, nelems, SHMEMX_ASET_ARGUMENTS, pSync))
#define SHMEMX_TO_ALL(R, NAME, TYPE, OP)                                                           \
  R(void, NAME##_##OP, OP, TYPE,                                                                   \
    (TYPE * dest, const TYPE* source, int nreduce, SHMEMX_ASET_PARAMETERS, TYPE* pWrk, long* pSync), \
    (dest, source, nreduce, SHMEMX_ASET_ARGUMENTS, pWrk, pSync))
#define SHMEMX_BIT_TO_ALL_OF_TYPE(NAME, TYPE, R) \
  SHMEMX_TO_ALL(R, NAME, TYPE, and_to_all)       \
  SHMEMX_TO_ALL(R, NAME, TYPE, or_to_all)        \
  SHMEMX_TO_ALL(R, NAME, TYPE, xor_to_all)
#define SHMEMX_ORDER_TO_ALL_OF_TYPE(NAME, TYPE, R) \
  SHMEMX_TO_ALL(R, NAME, TYPE, max_to_all)         \
  SHMEMX_TO_ALL(R, NAME, TYPE, min_to_all)
#define SHMEMX_SUM_TO_ALL_OF_TYPE(NAME, TYPE, R) \
  SHMEMX_TO_ALL(R, NAME, TYPE, sum_to_all)       \
  SHMEMX_TO_ALL(R, NAME, TYPE, prod_to_all)
#define SHMEMX_ASET_ROUTINES(R)                                                            \
  R(void, barrier, aset_barrier, , (SHMEMX_ASET_PARAMETERS, long* pSync),                  \
    (SHMEMX_ASET_ARGUMENTS, pSync))                                                        \
  R(void, sync, aset_sync, , (SHMEMX_ASET_PARAMETERS, long* pSync),                        \
    (SHMEMX_ASET_ARGUMENTS, pSync))                                                        \
  SHMEMX_ASET_FAMILY(R, 32, 4)                                                             \
  SHMEMX_ASET_FAMILY(R, 64, 8)                                                             \
  SHMEMX_TO_ALL_TYPES(SHMEMX_BIT_TO_ALL_OF_TYPE, R)                                        \
  SHMEMX_TO_ALL_TYPES(SHMEMX_ORDER_TO_ALL_OF_TYPE, R)                                      \
  SHMEMX_TO_ALL_FLOAT_TYPES(SHMEMX_ORDER_TO_ALL_OF_TYPE, R)                                \
  SHMEMX_TO_ALL_TYPES(SHMEMX_SUM_TO_ALL_OF_TYPE, R)                                        \
  SHMEMX_TO_ALL_FLOAT_TYPES(SHMEMX_SUM_TO_ALL_OF_TYPE, R)                                  \
  SHMEMX_COMPLEX_TYPES(SHMEMX_SUM_TO_ALL_OF_TYPE, R)

/* ---- All of these: those with forms for contexts, and the others. */
#define SHMEMX_ROUTINES_WITH_CTX(R) \
  SHMEMX_PUT_GET_ROUTINES(R)        \
  SHMEMX_SCALAR_ROUTINES(R)         \
  SHMEMX_STRIDED_ROUTINES(R)        \
  SHMEMX_PUT_SIGNAL_ROUTINES(R)     \
  SHMEMX_SIGNAL_ROUTINES(R)         \
  SHMEMX_AMO_ROUTINES(R)            \
  SHMEMX_AMO_NBI_ROUTINES(R)
#define SHMEMX_ROUTINES_WITHOUT_CTX(R) \
  SHMEMX_SETUP_ROUTINES(R)             \
  SHMEMX_MEMORY_ROUTINES(R)            \
  SHMEMX_CONTEXT_ROUTINES(R)           \
  SHMEMX_ORDER_ROUTINES(R)             \
  SHMEMX_MEETING_ROUTINES(R)           \
  SHMEMX_LOCK_ROUTINES(R)              \
  SHMEMX_TEAM_ROUTINES(R)              \
  SHMEMX_COLLECTIVE_ROUTINES(R)        \
  SHMEMX_ASET_ROUTINES(R)              \
  SHMEMX_WAIT_ROUTINES(R)              \
  SHMEMX_SIGNAL_WAIT_ROUTINES(R)       \
  SHMEMX_OLD_AMO_ROUTINES(R)

/* ---- Names from before 1.2, without the prefix: R(RESULT, NAME, (PARAMETERS), (ARGUMENTS)), with
 * twins called pNAME. */
#define SHMEMX_UNPREFIXED_ROUTINES(R)                                         \
  R(void, start_pes, (int npes), (npes))                                      \
  R(int, _my_pe, (void), ())                                                  \
  R(int, _num_pes, (void), ())                                                \
  R(void*, shmalloc, (size_t size), (size))                                   \
  R(void, shfree, (void* ptr), (ptr))                                         \
  R(void*, shrealloc, (void* ptr, size_t size), (ptr, size))                  \
  R(void*, shmemalign, (size_t alignment, size_t size), (alignment, size))

/* What the lists' users need: parameters with and without a context. */
#define SHMEMX_LIST(...) __VA_ARGS__
#define SHMEMX_DECLARE(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) \
  RESULT shmem_##TAIL PARAMETERS;
#define SHMEMX_DECLARE_CTX(RESULT, TAIL, OPERATION, ELEMENT, PARAMETERS, ARGUMENTS) \
  RESULT shmem_##TAIL PARAMETERS;                                                   \
  RESULT shmem_ctx_##TAIL(shmem_ctx_t ctx, SHMEMX_LIST PARAMETERS);

#endif /* CANOPY_SHMEM_ROUTINES_H */
