/* C11 generics of shmem.h: shmem_put(dest, ...) is the typed routine for what dest points to, and
 * shmem_put(ctx, dest, ...) its form with a context. Included by shmem.h only. A type without a routine
 * does not compile. */
#ifndef CANOPY_SHMEM_GENERIC_H
#define CANOPY_SHMEM_GENERIC_H

/* The first association only starts the list and matches nothing. What is chosen for a type without a
 * routine takes an argument that nobody has. */
struct shmemx_no_such_type;
typedef void (*shmemx_no_such_routine)(struct shmemx_no_such_type*, struct shmemx_no_such_type*);
#define SHMEMX_FIRST(first, ...) (first)
#define SHMEMX_SECOND(first, second, ...) (second)
#define SHMEMX_TO(NAME, TYPE, OP) , TYPE* : shmem_##NAME##_##OP
#define SHMEMX_FROM(NAME, TYPE, OP) , TYPE* : shmem_##NAME##_##OP, const TYPE* : shmem_##NAME##_##OP
#define SHMEMX_CTX_TO(NAME, TYPE, OP) , TYPE* : shmem_ctx_##NAME##_##OP
#define SHMEMX_CTX_FROM(NAME, TYPE, OP) \
  , TYPE* : shmem_ctx_##NAME##_##OP, const TYPE* : shmem_ctx_##NAME##_##OP
#define SHMEMX_BEGIN(argument) argument, struct shmemx_no_such_type* : (shmemx_no_such_routine)0

/* By the first argument; where that is a context, by the second. PLAIN and WITH_CTX are what is added to the
 * associations. */
#define SHMEMX_PICK(PLAIN, WITH_CTX, ...)                                                          \
  _Generic(SHMEMX_BEGIN(SHMEMX_FIRST(__VA_ARGS__, 0)) PLAIN, shmem_ctx_t                           \
           : _Generic(SHMEMX_BEGIN(SHMEMX_SECOND(__VA_ARGS__, 0, 0)) WITH_CTX, default             \
                      : (shmemx_no_such_routine)0))(__VA_ARGS__)

#define SHMEMX_RMA(OP, ...) \
  SHMEMX_PICK(SHMEMX_C_RMA_TYPES(SHMEMX_TO, OP), SHMEMX_C_RMA_TYPES(SHMEMX_CTX_TO, OP), __VA_ARGS__)
#define SHMEMX_RMA_CONST(OP, ...)                                                              \
  SHMEMX_PICK(SHMEMX_C_RMA_TYPES(SHMEMX_FROM, OP), SHMEMX_C_RMA_TYPES(SHMEMX_CTX_FROM, OP), \
              __VA_ARGS__)
#define SHMEMX_AMO(OP, ...) \
  SHMEMX_PICK(SHMEMX_C_AMO_TYPES(SHMEMX_TO, OP), SHMEMX_C_AMO_TYPES(SHMEMX_CTX_TO, OP), __VA_ARGS__)
#define SHMEMX_AMO_EXT(OP, ...)                                                                 \
  SHMEMX_PICK(SHMEMX_C_AMO_TYPES(SHMEMX_TO, OP) SHMEMX_AMO_FLOAT_TYPES(SHMEMX_TO, OP),          \
              SHMEMX_C_AMO_TYPES(SHMEMX_CTX_TO, OP) SHMEMX_AMO_FLOAT_TYPES(SHMEMX_CTX_TO, OP),  \
              __VA_ARGS__)
#define SHMEMX_AMO_EXT_CONST(OP, ...)                                                               \
  SHMEMX_PICK(SHMEMX_C_AMO_TYPES(SHMEMX_FROM, OP) SHMEMX_AMO_FLOAT_TYPES(SHMEMX_FROM, OP),          \
              SHMEMX_C_AMO_TYPES(SHMEMX_CTX_FROM, OP) SHMEMX_AMO_FLOAT_TYPES(SHMEMX_CTX_FROM, OP),  \
              __VA_ARGS__)
#define SHMEMX_BIT(OP, ...) \
  SHMEMX_PICK(SHMEMX_C_BIT_TYPES(SHMEMX_TO, OP), SHMEMX_C_BIT_TYPES(SHMEMX_CTX_TO, OP), __VA_ARGS__)

/* Without forms for contexts. */
#define SHMEMX_PICK_PLAIN(PLAIN, ...) \
  _Generic(SHMEMX_BEGIN(SHMEMX_FIRST(__VA_ARGS__, 0)) PLAIN)(__VA_ARGS__)
#define SHMEMX_WAIT(OP, ...) SHMEMX_PICK_PLAIN(SHMEMX_C_AMO_TYPES(SHMEMX_TO, OP), __VA_ARGS__)
#define SHMEMX_WAIT_SCALAR(OP, ...)                                                            \
  SHMEMX_PICK_PLAIN(SHMEMX_C_AMO_TYPES(SHMEMX_TO, OP) SHMEMX_SHORT_TYPES(SHMEMX_TO, OP), \
                    __VA_ARGS__)
#define SHMEMX_OLD_AMO(OP, ...) SHMEMX_PICK_PLAIN(SHMEMX_OLD_AMO_TYPES(SHMEMX_TO, OP), __VA_ARGS__)
#define SHMEMX_OLD_AMO_EXT(OP, ...)                                                                \
  SHMEMX_PICK_PLAIN(SHMEMX_OLD_AMO_TYPES(SHMEMX_TO, OP) SHMEMX_AMO_FLOAT_TYPES(SHMEMX_TO, OP), \
                    __VA_ARGS__)
#define SHMEMX_OLD_AMO_EXT_CONST(OP, ...)                                                              \
  SHMEMX_PICK_PLAIN(SHMEMX_OLD_AMO_TYPES(SHMEMX_FROM, OP) SHMEMX_AMO_FLOAT_TYPES(SHMEMX_FROM, OP), \
                    __VA_ARGS__)

#define shmem_put(...) SHMEMX_RMA(put, __VA_ARGS__)
#define shmem_get(...) SHMEMX_RMA(get, __VA_ARGS__)
#define shmem_put_nbi(...) SHMEMX_RMA(put_nbi, __VA_ARGS__)
#define shmem_get_nbi(...) SHMEMX_RMA(get_nbi, __VA_ARGS__)
#define shmem_p(...) SHMEMX_RMA(p, __VA_ARGS__)
#define shmem_iput(...) SHMEMX_RMA(iput, __VA_ARGS__)
#define shmem_iget(...) SHMEMX_RMA(iget, __VA_ARGS__)
#define shmem_ibput(...) SHMEMX_RMA(ibput, __VA_ARGS__)
#define shmem_ibget(...) SHMEMX_RMA(ibget, __VA_ARGS__)
#define shmem_put_signal(...) SHMEMX_RMA(put_signal, __VA_ARGS__)
#define shmem_put_signal_nbi(...) SHMEMX_RMA(put_signal_nbi, __VA_ARGS__)

#define shmem_g(...) SHMEMX_RMA_CONST(g, __VA_ARGS__)

#define shmem_atomic_fetch(...) SHMEMX_AMO_EXT_CONST(atomic_fetch, __VA_ARGS__)

#define shmem_atomic_set(...) SHMEMX_AMO_EXT(atomic_set, __VA_ARGS__)
#define shmem_atomic_swap(...) SHMEMX_AMO_EXT(atomic_swap, __VA_ARGS__)
#define shmem_atomic_fetch_nbi(...) SHMEMX_AMO_EXT(atomic_fetch_nbi, __VA_ARGS__)
#define shmem_atomic_swap_nbi(...) SHMEMX_AMO_EXT(atomic_swap_nbi, __VA_ARGS__)

#define shmem_atomic_compare_swap(...) SHMEMX_AMO(atomic_compare_swap, __VA_ARGS__)
#define shmem_atomic_fetch_inc(...) SHMEMX_AMO(atomic_fetch_inc, __VA_ARGS__)
#define shmem_atomic_inc(...) SHMEMX_AMO(atomic_inc, __VA_ARGS__)
#define shmem_atomic_fetch_add(...) SHMEMX_AMO(atomic_fetch_add, __VA_ARGS__)
#define shmem_atomic_add(...) SHMEMX_AMO(atomic_add, __VA_ARGS__)
#define shmem_atomic_compare_swap_nbi(...) SHMEMX_AMO(atomic_compare_swap_nbi, __VA_ARGS__)
#define shmem_atomic_fetch_inc_nbi(...) SHMEMX_AMO(atomic_fetch_inc_nbi, __VA_ARGS__)
#define shmem_atomic_fetch_add_nbi(...) SHMEMX_AMO(atomic_fetch_add_nbi, __VA_ARGS__)

#define shmem_atomic_fetch_and(...) SHMEMX_BIT(atomic_fetch_and, __VA_ARGS__)
#define shmem_atomic_and(...) SHMEMX_BIT(atomic_and, __VA_ARGS__)
#define shmem_atomic_fetch_or(...) SHMEMX_BIT(atomic_fetch_or, __VA_ARGS__)
#define shmem_atomic_or(...) SHMEMX_BIT(atomic_or, __VA_ARGS__)
#define shmem_atomic_fetch_xor(...) SHMEMX_BIT(atomic_fetch_xor, __VA_ARGS__)
#define shmem_atomic_xor(...) SHMEMX_BIT(atomic_xor, __VA_ARGS__)
#define shmem_atomic_fetch_and_nbi(...) SHMEMX_BIT(atomic_fetch_and_nbi, __VA_ARGS__)
#define shmem_atomic_fetch_or_nbi(...) SHMEMX_BIT(atomic_fetch_or_nbi, __VA_ARGS__)
#define shmem_atomic_fetch_xor_nbi(...) SHMEMX_BIT(atomic_fetch_xor_nbi, __VA_ARGS__)

/* Functions too, without a context. */
#define shmem_signal_set(...)                                                                 \
  _Generic(SHMEMX_FIRST(__VA_ARGS__, 0), shmem_ctx_t : shmem_ctx_signal_set, default : shmem_signal_set)( \
      __VA_ARGS__)
#define shmem_signal_add(...)                                                                 \
  _Generic(SHMEMX_FIRST(__VA_ARGS__, 0), shmem_ctx_t : shmem_ctx_signal_add, default : shmem_signal_add)( \
      __VA_ARGS__)

#define shmem_wait_until(...) SHMEMX_WAIT_SCALAR(wait_until, __VA_ARGS__)
#define shmem_test(...) SHMEMX_WAIT_SCALAR(test, __VA_ARGS__)

#define shmem_wait_until_all(...) SHMEMX_WAIT(wait_until_all, __VA_ARGS__)
#define shmem_wait_until_any(...) SHMEMX_WAIT(wait_until_any, __VA_ARGS__)
#define shmem_wait_until_some(...) SHMEMX_WAIT(wait_until_some, __VA_ARGS__)
#define shmem_wait_until_all_vector(...) SHMEMX_WAIT(wait_until_all_vector, __VA_ARGS__)
#define shmem_wait_until_any_vector(...) SHMEMX_WAIT(wait_until_any_vector, __VA_ARGS__)
#define shmem_wait_until_some_vector(...) SHMEMX_WAIT(wait_until_some_vector, __VA_ARGS__)
#define shmem_test_all(...) SHMEMX_WAIT(test_all, __VA_ARGS__)
#define shmem_test_any(...) SHMEMX_WAIT(test_any, __VA_ARGS__)
#define shmem_test_some(...) SHMEMX_WAIT(test_some, __VA_ARGS__)
#define shmem_test_all_vector(...) SHMEMX_WAIT(test_all_vector, __VA_ARGS__)
#define shmem_test_any_vector(...) SHMEMX_WAIT(test_any_vector, __VA_ARGS__)
#define shmem_test_some_vector(...) SHMEMX_WAIT(test_some_vector, __VA_ARGS__)

/* By the second argument: the first is the team. */
#define SHMEMX_PICK_SECOND(PLAIN, ...) \
  _Generic(SHMEMX_BEGIN(SHMEMX_SECOND(__VA_ARGS__, 0, 0)) PLAIN)(__VA_ARGS__)
#define SHMEMX_COLLECTIVE(OP, ...) SHMEMX_PICK_SECOND(SHMEMX_C_RMA_TYPES(SHMEMX_TO, OP), __VA_ARGS__)
#define SHMEMX_BIT_COLLECTIVE(OP, ...) \
  SHMEMX_PICK_SECOND(SHMEMX_C_BIT_REDUCE_TYPES(SHMEMX_TO, OP), __VA_ARGS__)
#define SHMEMX_SUM_COLLECTIVE(OP, ...) \
  SHMEMX_PICK_SECOND(SHMEMX_C_RMA_TYPES(SHMEMX_TO, OP) SHMEMX_COMPLEX_TYPES(SHMEMX_TO, OP), __VA_ARGS__)

#define shmem_sync(...) \
  _Generic(SHMEMX_FIRST(__VA_ARGS__, 0), shmem_team_t : shmem_team_sync, default : shmem_sync)(__VA_ARGS__)
#define shmem_alltoall(...) SHMEMX_COLLECTIVE(alltoall, __VA_ARGS__)
#define shmem_alltoalls(...) SHMEMX_COLLECTIVE(alltoalls, __VA_ARGS__)
#define shmem_broadcast(...) SHMEMX_COLLECTIVE(broadcast, __VA_ARGS__)
#define shmem_collect(...) SHMEMX_COLLECTIVE(collect, __VA_ARGS__)
#define shmem_fcollect(...) SHMEMX_COLLECTIVE(fcollect, __VA_ARGS__)
#define shmem_and_reduce(...) SHMEMX_BIT_COLLECTIVE(and_reduce, __VA_ARGS__)
#define shmem_or_reduce(...) SHMEMX_BIT_COLLECTIVE(or_reduce, __VA_ARGS__)
#define shmem_xor_reduce(...) SHMEMX_BIT_COLLECTIVE(xor_reduce, __VA_ARGS__)
#define shmem_max_reduce(...) SHMEMX_COLLECTIVE(max_reduce, __VA_ARGS__)
#define shmem_min_reduce(...) SHMEMX_COLLECTIVE(min_reduce, __VA_ARGS__)
#define shmem_sum_reduce(...) SHMEMX_SUM_COLLECTIVE(sum_reduce, __VA_ARGS__)
#define shmem_prod_reduce(...) SHMEMX_SUM_COLLECTIVE(prod_reduce, __VA_ARGS__)
#define shmem_sum_inscan(...) SHMEMX_SUM_COLLECTIVE(sum_inscan, __VA_ARGS__)
#define shmem_sum_exscan(...) SHMEMX_SUM_COLLECTIVE(sum_exscan, __VA_ARGS__)

/* Deprecated. */
#define shmem_fetch(...) SHMEMX_OLD_AMO_EXT_CONST(fetch, __VA_ARGS__)
#define shmem_set(...) SHMEMX_OLD_AMO_EXT(set, __VA_ARGS__)
#define shmem_swap(...) SHMEMX_OLD_AMO_EXT(swap, __VA_ARGS__)
#define shmem_cswap(...) SHMEMX_OLD_AMO(cswap, __VA_ARGS__)
#define shmem_finc(...) SHMEMX_OLD_AMO(finc, __VA_ARGS__)
#define shmem_inc(...) SHMEMX_OLD_AMO(inc, __VA_ARGS__)
#define shmem_fadd(...) SHMEMX_OLD_AMO(fadd, __VA_ARGS__)
#define shmem_add(...) SHMEMX_OLD_AMO(add, __VA_ARGS__)

#endif /* CANOPY_SHMEM_GENERIC_H */
