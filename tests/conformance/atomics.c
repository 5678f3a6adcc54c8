/* §9.7 Atomic memory operations, blocking and nonblocking, of every type. Each type has words of
 * its own in the block, on the right neighbour, whose only user is this PE; then all PEs share
 * words of PE 0. */
#include "conformance.h"

#define OWN_TYPE(NAME, ...) kOwn_##NAME,
enum { SHMEMX_AMO_TYPES(OWN_TYPE, ) SHMEMX_AMO_FLOAT_TYPES(OWN_TYPE, ) kOwns };
/* 32 bytes each: words for both forms, and a shared one. */
#define OWN(NAME, TYPE, INDEX) ((TYPE*)(block + kOwn_##NAME * 32) + (INDEX))

#define EXTENDED(NAME, TYPE, CTX, ARGS, WORD)                            \
  shmem_##CTX##NAME##_atomic_set ARGS(WORD, (TYPE)10, right);            \
  CHECK("§9.7.1: fetch of " #NAME " after set",                          \
        shmem_##CTX##NAME##_atomic_fetch ARGS(WORD, right) == (TYPE)10); \
  CHECK("§9.7.1: swap of " #NAME,                                        \
        shmem_##CTX##NAME##_atomic_swap ARGS(WORD, (TYPE)20, right) == (TYPE)10);
#define STANDARD(NAME, TYPE, CTX, ARGS, WORD)                                                     \
  CHECK("§9.7.1: compare_swap of " #NAME " that fails",                                           \
        shmem_##CTX##NAME##_atomic_compare_swap ARGS(WORD, (TYPE)7, (TYPE)1, right) == (TYPE)20); \
  CHECK(                                                                                          \
      "§9.7.1: compare_swap of " #NAME " that succeeds",                                          \
      shmem_##CTX##NAME##_atomic_compare_swap ARGS(WORD, (TYPE)20, (TYPE)30, right) == (TYPE)20); \
  CHECK("§9.7.1: fetch_inc of " #NAME,                                                            \
        shmem_##CTX##NAME##_atomic_fetch_inc ARGS(WORD, right) == (TYPE)30);                      \
  shmem_##CTX##NAME##_atomic_inc ARGS(WORD, right);                                               \
  CHECK("§9.7.1: fetch_add of " #NAME,                                                            \
        shmem_##CTX##NAME##_atomic_fetch_add ARGS(WORD, (TYPE)8, right) == (TYPE)32);             \
  shmem_##CTX##NAME##_atomic_add ARGS(WORD, (TYPE)2, right);                                      \
  CHECK("§9.7.1: inc and add of " #NAME,                                                          \
        shmem_##CTX##NAME##_atomic_fetch ARGS(WORD, right) == (TYPE)42);
#define BITWISE(NAME, TYPE, CTX, ARGS, WORD)                                               \
  shmem_##CTX##NAME##_atomic_set ARGS(WORD, (TYPE)0xF0, right);                            \
  CHECK("§9.7.1: fetch_or of " #NAME,                                                      \
        shmem_##CTX##NAME##_atomic_fetch_or ARGS(WORD, (TYPE)0x0F, right) == (TYPE)0xF0);  \
  CHECK("§9.7.1: fetch_and of " #NAME,                                                     \
        shmem_##CTX##NAME##_atomic_fetch_and ARGS(WORD, (TYPE)0x3C, right) == (TYPE)0xFF); \
  CHECK("§9.7.1: fetch_xor of " #NAME,                                                     \
        shmem_##CTX##NAME##_atomic_fetch_xor ARGS(WORD, (TYPE)0xFF, right) == (TYPE)0x3C); \
  shmem_##CTX##NAME##_atomic_or ARGS(WORD, (TYPE)0x100, right);                            \
  shmem_##CTX##NAME##_atomic_and ARGS(WORD, (TYPE)0x1F0, right);                           \
  shmem_##CTX##NAME##_atomic_xor ARGS(WORD, (TYPE)0x001, right);                           \
  CHECK("§9.7.1: or, and, xor of " #NAME,                                                  \
        shmem_##CTX##NAME##_atomic_fetch ARGS(WORD, right) == (TYPE)0x1C1);

#define BOTH(WHAT, NAME, TYPE)                   \
  WHAT(NAME, TYPE, , NO_CTX, OWN(NAME, TYPE, 0)) \
  WHAT(NAME, TYPE, ctx_, IN_CTX, OWN(NAME, TYPE, 1))
#define RUN_EXTENDED(NAME, TYPE, ...) BOTH(EXTENDED, NAME, TYPE)
#define RUN_STANDARD(NAME, TYPE, ...) BOTH(STANDARD, NAME, TYPE)
#define RUN_BITWISE(NAME, TYPE, ...) BOTH(BITWISE, NAME, TYPE)

/* §3.2: no update is lost, whatever the context. */
#define SHARE(NAME, TYPE, ...)                      \
  shmem_##NAME##_atomic_inc(OWN(NAME, TYPE, 2), 0); \
  shmem_ctx_##NAME##_atomic_add(context, OWN(NAME, TYPE, 2), (TYPE)2, 0);
#define SHARED(NAME, TYPE, ...)    \
  CHECK("§3.2: updates of " #NAME, \
        shmem_##NAME##_atomic_fetch(OWN(NAME, TYPE, 2), 0) == (TYPE)(3 * n));

void chapter_atomics(void) {
  SHMEMX_AMO_TYPES(RUN_EXTENDED, )
  SHMEMX_AMO_FLOAT_TYPES(RUN_EXTENDED, )
  SHMEMX_AMO_TYPES(RUN_STANDARD, )
  SHMEMX_BIT_TYPES(RUN_BITWISE, )
  SHMEMX_AMO_TYPES(SHARE, )
  complete();
  SHMEMX_AMO_TYPES(SHARED, )
}

/* ---- §9.7.2: the old value is there after quiet. Without a fence between them, two operations on
 * one word would have no order: each gets a word of its own, which begins with 12. */
enum { kOperations = 8 };
#define EXTENDED_NBI(NAME, TYPE, CTX, ARGS, FORM)                            \
  shmem_##CTX##NAME##_atomic_fetch_nbi ARGS(&old[0][FORM], word + 0, right); \
  shmem_##CTX##NAME##_atomic_swap_nbi ARGS(&old[1][FORM], word + 1, (TYPE)3, right);
#define STANDARD_NBI(NAME, TYPE, CTX, ARGS, FORM)                                              \
  shmem_##CTX##NAME##_atomic_compare_swap_nbi ARGS(&old[2][FORM], word + 2, (TYPE)12, (TYPE)5, \
                                                   right);                                     \
  shmem_##CTX##NAME##_atomic_fetch_inc_nbi ARGS(&old[3][FORM], word + 3, right);               \
  shmem_##CTX##NAME##_atomic_fetch_add_nbi ARGS(&old[4][FORM], word + 4, (TYPE)30, right);
#define BITWISE_NBI(NAME, TYPE, CTX, ARGS, FORM)                                          \
  shmem_##CTX##NAME##_atomic_fetch_and_nbi ARGS(&old[5][FORM], word + 5, (TYPE)4, right); \
  shmem_##CTX##NAME##_atomic_fetch_or_nbi ARGS(&old[6][FORM], word + 6, (TYPE)1, right);  \
  shmem_##CTX##NAME##_atomic_fetch_xor_nbi ARGS(&old[7][FORM], word + 7, (TYPE)15, right);

#define NBI(ID, NAME, TYPE, OPERATIONS, FIRST, LAST)                                            \
  static void nbi_##ID##_##NAME(void) {                                                         \
    const TYPE results[kOperations] = {12, 3, 5, 13, 42, 4, 13, 3};                             \
    TYPE old[kOperations][2];                                                                   \
    memset(old, 0, sizeof old);                                                                 \
    fresh();                                                                                    \
    for (int i = 0; i < 2 * kOperations; ++i) ((TYPE*)block)[i] = (TYPE)12;                     \
    shmem_barrier_all();                                                                        \
    TYPE* word = (TYPE*)block;                                                                  \
    OPERATIONS(NAME, TYPE, , NO_CTX, 0)                                                         \
    word += kOperations;                                                                        \
    OPERATIONS(NAME, TYPE, ctx_, IN_CTX, 1)                                                     \
    shmem_quiet();                                                                              \
    shmem_ctx_quiet(context);                                                                   \
    for (int i = FIRST; i <= LAST; ++i) {                                                       \
      CHECK("§9.7.2: the old value of " #NAME, old[i][0] == (TYPE)12 && old[i][1] == (TYPE)12); \
    }                                                                                           \
    shmem_barrier_all();                                                                        \
    for (int i = FIRST; i <= LAST; ++i) {                                                       \
      CHECK("§9.7.2: the new value of " #NAME,                                                  \
            ((TYPE*)block)[i] == results[i] && ((TYPE*)block)[kOperations + i] == results[i]);  \
    }                                                                                           \
  }
#define NBI_EXTENDED(NAME, TYPE, ...) NBI(extended, NAME, TYPE, EXTENDED_NBI, 0, 1)
#define NBI_STANDARD(NAME, TYPE, ...) NBI(standard, NAME, TYPE, STANDARD_NBI, 2, 4)
#define NBI_BITWISE(NAME, TYPE, ...) NBI(bitwise, NAME, TYPE, BITWISE_NBI, 5, 7)
SHMEMX_AMO_TYPES(NBI_EXTENDED, )
SHMEMX_AMO_FLOAT_TYPES(NBI_EXTENDED, )
SHMEMX_AMO_TYPES(NBI_STANDARD, )
SHMEMX_BIT_TYPES(NBI_BITWISE, )

#define CALL_EXTENDED(NAME, ...) nbi_extended_##NAME();
#define CALL_STANDARD(NAME, ...) nbi_standard_##NAME();
#define CALL_BITWISE(NAME, ...) nbi_bitwise_##NAME();
void chapter_atomics_nbi(void) {
  SHMEMX_AMO_TYPES(CALL_EXTENDED, )
  SHMEMX_AMO_FLOAT_TYPES(CALL_EXTENDED, )
  SHMEMX_AMO_TYPES(CALL_STANDARD, )
  SHMEMX_BIT_TYPES(CALL_BITWISE, )
}
