/* §9.11 Point-to-point synchronisation: on one word, and on sets of them. */
#include "conformance.h"

/* ---- One word: all six comparisons, satisfied by what the left neighbour sets. */
#define COMPARISONS(NAME, TYPE, SET)                                                              \
  static void wait_##NAME(void) {                                                                 \
    TYPE* word = (TYPE*)block;                                                                    \
    fresh();                                                                                      \
    CHECK("§9.11.8: test of " #NAME " that does not hold",                                        \
          shmem_##NAME##_test(word, SHMEM_CMP_NE, 0) == 0);                                       \
    shmem_barrier_all();                                                                          \
    SET(word, (TYPE)7, right);                                                                    \
    shmem_##NAME##_wait_until(word, SHMEM_CMP_NE, (TYPE)0);                                       \
    shmem_##NAME##_wait_until(word, SHMEM_CMP_EQ, (TYPE)7);                                       \
    shmem_##NAME##_wait_until(word, SHMEM_CMP_GT, (TYPE)6);                                       \
    shmem_##NAME##_wait_until(word, SHMEM_CMP_GE, (TYPE)7);                                       \
    shmem_##NAME##_wait_until(word, SHMEM_CMP_LT, (TYPE)8);                                       \
    shmem_##NAME##_wait_until(word, SHMEM_CMP_LE, (TYPE)7);                                       \
    CHECK("§9.11.8: test of " #NAME, shmem_##NAME##_test(word, SHMEM_CMP_EQ, (TYPE)7) == 1 &&     \
                                         shmem_##NAME##_test(word, SHMEM_CMP_LT, (TYPE)7) == 0 && \
                                         shmem_##NAME##_test(word, SHMEM_CMP_GT, (TYPE)7) == 0);  \
    /* In the type's own order: -1 is the least or the greatest. */                               \
    shmem_barrier_all();                                                                          \
    *word = (TYPE)-1;                                                                             \
    const TYPE zero = 0;                                                                          \
    CHECK("§9.11: signedness of " #NAME,                                                          \
          shmem_##NAME##_test(word, SHMEM_CMP_LT, zero) == (*word < zero ? 1 : 0));               \
  }
#define WITH_ATOMIC(NAME, TYPE, ...) COMPARISONS(NAME, TYPE, shmem_##NAME##_atomic_set)
#define WITH_P(NAME, TYPE, ...) COMPARISONS(NAME, TYPE, shmem_##NAME##_p)
SHMEMX_AMO_TYPES(WITH_ATOMIC, )
SHMEMX_SHORT_TYPES(WITH_P, ) /* deprecated: there are no atomics of these */

#define CALL(NAME, ...) wait_##NAME();
void chapter_waits(void) {
  SHMEMX_AMO_TYPES(CALL, )
  SHMEMX_SHORT_TYPES(CALL, )
  /* §9.11: a test in a loop makes progress. */
  fresh();
  shmem_uint64_atomic_set(signals, 1, right);
  while (!shmem_uint64_test(signals, SHMEM_CMP_EQ, 1)) {
  }
}

/* ---- Sets. The left neighbour sets word i to i + 1; word 4 stays 0 and takes no part. */
enum { kWords = 5 };

static void count_index(int* seen, size_t index) {
  if (index < kWords) ++seen[index];
}
static int exactly(const int* seen, int first, int last) {
  for (int i = 0; i < kWords; ++i) {
    if (seen[i] != (i >= first && i <= last ? 1 : 0)) return 0;
  }
  return 1;
}

/* any, until every element that takes part was reported once: those that were get a status. */
#define EACH_BY_ANY(NAME, VECTOR, CMP, VALUE)                                                    \
  do {                                                                                           \
    int seen[kWords] = {0}, status[kWords] = {0, 0, 0, 0, 1};                                    \
    for (int i = 0; i < 4; ++i) {                                                                \
      const size_t index =                                                                       \
          shmem_##NAME##_wait_until_any##VECTOR(words, kWords, status, CMP, VALUE);              \
      count_index(seen, index);                                                                  \
      if (index < kWords) status[index] = 1;                                                     \
    }                                                                                            \
    CHECK("§9.11.3: any of " #NAME, exactly(seen, 0, 3));                                        \
    CHECK("§9.11.3: SIZE_MAX when all have a status",                                            \
          shmem_##NAME##_wait_until_any##VECTOR(words, kWords, status, CMP, VALUE) == SIZE_MAX); \
    CHECK("§9.11.10: the same",                                                                  \
          shmem_##NAME##_test_any##VECTOR(words, kWords, status, CMP, VALUE) == SIZE_MAX);       \
  } while (0)

#define WITH_STATUS(NAME, VECTOR, CMP, VALUE)                                                      \
  do {                                                                                             \
    const int status[kWords] = {0, 0, 0, 0, 1};                                                    \
    size_t indices[kWords];                                                                        \
    shmem_##NAME##_wait_until_all##VECTOR(words, kWords, status, CMP, VALUE);                      \
    CHECK("§9.11.9: test_all of " #NAME,                                                           \
          shmem_##NAME##_test_all##VECTOR(words, kWords, status, CMP, VALUE) == 1);                \
    CHECK("§9.11.10: test_any of " #NAME,                                                          \
          shmem_##NAME##_test_any##VECTOR(words, kWords, status, CMP, VALUE) < 4);                 \
    for (int form = 0; form < 2; ++form) {                                                         \
      int seen[kWords] = {0};                                                                      \
      const size_t count =                                                                         \
          form == 0                                                                                \
              ? shmem_##NAME##_wait_until_some##VECTOR(words, kWords, indices, status, CMP, VALUE) \
              : shmem_##NAME##_test_some##VECTOR(words, kWords, indices, status, CMP, VALUE);      \
      for (size_t i = 0; i < count; ++i) count_index(seen, indices[i]);                            \
      CHECK("§9.11.4: some of " #NAME, count == 4 && exactly(seen, 0, 3));                         \
    }                                                                                              \
  } while (0)

#define WITHOUT_STATUS(NAME, VECTOR, CMP, VALUE)                                                 \
  do {                                                                                           \
    size_t indices[kWords];                                                                      \
    CHECK("§9.11.9: not all of " #NAME,                                                          \
          shmem_##NAME##_test_all##VECTOR(words, kWords, NULL, CMP, VALUE) == 0);                \
    CHECK("§9.11.11: NULL is no status",                                                         \
          shmem_##NAME##_test_some##VECTOR(words, kWords, indices, NULL, CMP, VALUE) == 4);      \
    CHECK("§9.11.9: of nothing all hold",                                                        \
          shmem_##NAME##_test_all##VECTOR(words, 0, NULL, CMP, VALUE) == 1);                     \
    CHECK("§9.11: of nothing there is none",                                                     \
          shmem_##NAME##_test_any##VECTOR(words, 0, NULL, CMP, VALUE) == SIZE_MAX &&             \
              shmem_##NAME##_wait_until_any##VECTOR(words, 0, NULL, CMP, VALUE) == SIZE_MAX &&   \
              shmem_##NAME##_test_some##VECTOR(words, 0, indices, NULL, CMP, VALUE) == 0 &&      \
              shmem_##NAME##_wait_until_some##VECTOR(words, 0, indices, NULL, CMP, VALUE) == 0); \
    shmem_##NAME##_wait_until_all##VECTOR(words, 0, NULL, CMP, VALUE);                           \
  } while (0)

#define SETS(NAME, TYPE, ...)                                     \
  static void sets_##NAME(void) {                                 \
    TYPE* words = (TYPE*)block;                                   \
    const TYPE values[kWords] = {1, 2, 3, 4, 1};                  \
    fresh();                                                      \
    for (int i = 3; i >= 0; --i) {                                \
      shmem_##NAME##_atomic_set(words + i, (TYPE)(i + 1), right); \
    }                                                             \
    EACH_BY_ANY(NAME, , SHMEM_CMP_GE, (TYPE)1);                   \
    EACH_BY_ANY(NAME, _vector, SHMEM_CMP_EQ, values);             \
    WITH_STATUS(NAME, , SHMEM_CMP_GE, (TYPE)1);                   \
    WITH_STATUS(NAME, _vector, SHMEM_CMP_EQ, values);             \
    WITHOUT_STATUS(NAME, , SHMEM_CMP_GE, (TYPE)1);                \
    WITHOUT_STATUS(NAME, _vector, SHMEM_CMP_EQ, values);          \
  }
SHMEMX_AMO_TYPES(SETS, )

#define CALL_SETS(NAME, ...) sets_##NAME();
void chapter_wait_sets(void) { SHMEMX_AMO_TYPES(CALL_SETS, ) }
