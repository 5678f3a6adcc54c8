/* C11 generics of shmem.h: shmem_put(dest, ...) is the typed routine for what dest points to.
 * Included by shmem.h only. A type without a routine does not compile. */
#ifndef CANOPY_SHMEM_GENERIC_H
#define CANOPY_SHMEM_GENERIC_H

/* &*(p) makes arrays decay; the first association only starts the list and matches nothing. */
struct shmemx_no_such_type;
#define SHMEMX_TO(NAME, TYPE, OP) , TYPE* : shmem_##NAME##_##OP
#define SHMEMX_FROM(NAME, TYPE, OP) , TYPE* : shmem_##NAME##_##OP, const TYPE* : shmem_##NAME##_##OP
#define SHMEMX_BEGIN(pointer) &*(pointer), struct shmemx_no_such_type* : (void (*)(void))0

#define SHMEMX_RMA(pointer, OP) _Generic(SHMEMX_BEGIN(pointer) SHMEMX_C_RMA_TYPES(SHMEMX_TO, OP))
#define SHMEMX_RMA_CONST(pointer, OP) \
  _Generic(SHMEMX_BEGIN(pointer) SHMEMX_C_RMA_TYPES(SHMEMX_FROM, OP))
#define SHMEMX_AMO(pointer, OP) _Generic(SHMEMX_BEGIN(pointer) SHMEMX_C_AMO_TYPES(SHMEMX_TO, OP))
#define SHMEMX_AMO_EXT(pointer, OP)                                \
  _Generic(SHMEMX_BEGIN(pointer) SHMEMX_C_AMO_TYPES(SHMEMX_TO, OP) \
               SHMEMX_AMO_FLOAT_TYPES(SHMEMX_TO, OP))
#define SHMEMX_AMO_EXT_CONST(pointer, OP)                            \
  _Generic(SHMEMX_BEGIN(pointer) SHMEMX_C_AMO_TYPES(SHMEMX_FROM, OP) \
               SHMEMX_AMO_FLOAT_TYPES(SHMEMX_FROM, OP))
#define SHMEMX_BIT(pointer, OP) _Generic(SHMEMX_BEGIN(pointer) SHMEMX_C_BIT_TYPES(SHMEMX_TO, OP))
#define SHMEMX_P2P(pointer, OP)                                    \
  _Generic(SHMEMX_BEGIN(pointer) SHMEMX_C_AMO_TYPES(SHMEMX_TO, OP) \
               SHMEMX_SHORT_TYPES(SHMEMX_TO, OP))

#define shmem_put(dest, ...) SHMEMX_RMA(dest, put)(dest, __VA_ARGS__)
#define shmem_get(dest, ...) SHMEMX_RMA(dest, get)(dest, __VA_ARGS__)
#define shmem_put_nbi(dest, ...) SHMEMX_RMA(dest, put_nbi)(dest, __VA_ARGS__)
#define shmem_get_nbi(dest, ...) SHMEMX_RMA(dest, get_nbi)(dest, __VA_ARGS__)
#define shmem_p(dest, ...) SHMEMX_RMA(dest, p)(dest, __VA_ARGS__)
#define shmem_g(source, ...) SHMEMX_RMA_CONST(source, g)(source, __VA_ARGS__)
#define shmem_put_signal(dest, ...) SHMEMX_RMA(dest, put_signal)(dest, __VA_ARGS__)
#define shmem_put_signal_nbi(dest, ...) SHMEMX_RMA(dest, put_signal_nbi)(dest, __VA_ARGS__)

#define shmem_atomic_fetch(source, ...) \
  SHMEMX_AMO_EXT_CONST(source, atomic_fetch)(source, __VA_ARGS__)
#define shmem_atomic_set(dest, ...) SHMEMX_AMO_EXT(dest, atomic_set)(dest, __VA_ARGS__)
#define shmem_atomic_swap(dest, ...) SHMEMX_AMO_EXT(dest, atomic_swap)(dest, __VA_ARGS__)
#define shmem_atomic_compare_swap(dest, ...) \
  SHMEMX_AMO(dest, atomic_compare_swap)(dest, __VA_ARGS__)
#define shmem_atomic_fetch_inc(dest, ...) SHMEMX_AMO(dest, atomic_fetch_inc)(dest, __VA_ARGS__)
#define shmem_atomic_inc(dest, ...) SHMEMX_AMO(dest, atomic_inc)(dest, __VA_ARGS__)
#define shmem_atomic_fetch_add(dest, ...) SHMEMX_AMO(dest, atomic_fetch_add)(dest, __VA_ARGS__)
#define shmem_atomic_add(dest, ...) SHMEMX_AMO(dest, atomic_add)(dest, __VA_ARGS__)
#define shmem_atomic_fetch_and(dest, ...) SHMEMX_BIT(dest, atomic_fetch_and)(dest, __VA_ARGS__)
#define shmem_atomic_and(dest, ...) SHMEMX_BIT(dest, atomic_and)(dest, __VA_ARGS__)
#define shmem_atomic_fetch_or(dest, ...) SHMEMX_BIT(dest, atomic_fetch_or)(dest, __VA_ARGS__)
#define shmem_atomic_or(dest, ...) SHMEMX_BIT(dest, atomic_or)(dest, __VA_ARGS__)
#define shmem_atomic_fetch_xor(dest, ...) SHMEMX_BIT(dest, atomic_fetch_xor)(dest, __VA_ARGS__)
#define shmem_atomic_xor(dest, ...) SHMEMX_BIT(dest, atomic_xor)(dest, __VA_ARGS__)

#define shmem_wait_until(ivar, ...) SHMEMX_P2P(ivar, wait_until)(ivar, __VA_ARGS__)
#define shmem_test(ivar, ...) SHMEMX_P2P(ivar, test)(ivar, __VA_ARGS__)

#endif /* CANOPY_SHMEM_GENERIC_H */
