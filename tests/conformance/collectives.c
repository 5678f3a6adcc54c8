/* §9.10 Collectives, of every type: of the world, of a team of every second PE, and of active sets. */
#include "conformance.h"

enum { kElements = 3, kHalf = kBlockBytes / 2 };

static shmem_team_t half; /* PEs 0, 2, ...; SHMEM_TEAM_INVALID on the others */
static long* sync_of_all;
static long* sync_of_half;

static int rank_in(shmem_team_t team) { return shmem_team_my_pe(team); }

/* What member `pe` gives: small, so that no sum of a few passes the narrowest type. */
static int value(int pe, int i) { return (pe * 3 + i) % 5 + 1; }

/* Nobody writes into block any more, and it is filled. */
static void begin_with(int rest) {
  shmem_barrier_all();
  memset(block, rest, kBlockBytes);
  shmem_barrier_all();
}

/* NAME_check(team's name, ...) of each collective of type T. DEST and SOURCE are symmetric. */
#define DEST(T) ((T*)block)
#define SOURCE(T) ((T*)(block + kHalf))

#define MOVES(ID, A, B, T, E)                                                                               \
  static void moves_##ID(shmem_team_t team) {                                                               \
    const int size = shmem_team_n_pes(team), rank = rank_in(team);                                          \
    E *dest = DEST(E), *source = SOURCE(E);                                                                 \
    for (int root = 0; root < size; ++root) {                                                               \
      for (int i = 0; i < kElements; ++i) source[i] = (E)value(rank, i);                                    \
      CHECK("§9.10.7 broadcast " #ID, shmem_##A##broadcast##B(team, (T*)(dest + root * kElements), (const T*)source, \
                                                              kElements * (sizeof(E) / UNIT_##ID), root) == 0); \
      int good = 1;                                                                                         \
      for (int i = 0; i < kElements; ++i) good &= dest[root * kElements + i] == (E)value(root, i);          \
      CHECK("§9.10.7: the root's data on all, the root too: " #ID, good);                                   \
    }                                                                                                       \
    shmem_team_sync(team);                                                                                  \
    CHECK("§9.10.8 fcollect " #ID, shmem_##A##fcollect##B(team, (T*)dest, (const T*)source,                 \
                                                          kElements * (sizeof(E) / UNIT_##ID)) == 0);       \
    int good = 1;                                                                                           \
    for (int i = 0; i < kElements * size; ++i) good &= dest[i] == (E)value(i / kElements, i % kElements);   \
    CHECK("§9.10.8: blocks by number: " #ID, good);                                                         \
    shmem_team_sync(team);                                                                                  \
    const int mine = rank % 3; /* none, one or two */                                                       \
    CHECK("§9.10.8 collect " #ID, shmem_##A##collect##B(team, (T*)dest, (const T*)source,                   \
                                                        (size_t)mine * (sizeof(E) / UNIT_##ID)) == 0);      \
    good = 1;                                                                                               \
    for (int pe = 0, at = 0; pe < size; ++pe) {                                                             \
      for (int i = 0; i < pe % 3; ++i, ++at) good &= dest[at] == (E)value(pe, i);                           \
    }                                                                                                       \
    CHECK("§9.10.8: packed without gaps: " #ID, good);                                                      \
    for (int i = 0; i < kElements * size; ++i) source[i] = (E)value(rank, i);                               \
    shmem_team_sync(team);                                                                                  \
    CHECK("§9.10.5 alltoall " #ID, shmem_##A##alltoall##B(team, (T*)dest, (const T*)source,                 \
                                                          kElements * (sizeof(E) / UNIT_##ID)) == 0);       \
    good = 1;                                                                                               \
    for (int i = 0; i < kElements * size; ++i)                                                              \
      good &= dest[i] == (E)value(i / kElements, rank * kElements + i % kElements);                         \
    CHECK("§9.10.5: block k to member k: " #ID, good);                                                      \
    shmem_team_sync(team);                                                                                  \
    for (int i = 0; i < kElements * size * 2; ++i) dest[i] = (E)9;                                          \
    for (int i = 0; i < kElements * size * 3; ++i) source[i] = (E)value(rank, i);                           \
    shmem_team_sync(team);                                                                                  \
    STRIDED_##ID(A, B, T)                                                                                   \
    good = 1;                                                                                               \
    for (int i = 0; i < kElements * size * 2; ++i) {                                                        \
      const int from = i / 2 / kElements, there = rank * kElements + i / 2 % kElements;                     \
      good &= dest[i] == (i % 2 != 0 ? (E)9 : (E)value(from, there * 3));                                   \
    }                                                                                                       \
    CHECK("§9.10.6: strides apply to every element, and gaps stay: " #ID, good);                            \
    shmem_team_sync(team);                                                                                  \
  }
#define OF_TYPE_STRIDED(A, B, T)                                                                \
  CHECK("§9.10.6 alltoalls", shmem_##A##alltoalls##B(team, (T*)dest, (const T*)source, 2, 3, kElements) == 0);

#define MOVES_OF_TYPE(NAME, TYPE, ...) MOVES(NAME, NAME##_, , TYPE, TYPE)
#define UNIT_float sizeof(float)
#define STRIDED_float OF_TYPE_STRIDED
#define UNIT_double sizeof(double)
#define STRIDED_double OF_TYPE_STRIDED
#define UNIT_longdouble sizeof(long double)
#define STRIDED_longdouble OF_TYPE_STRIDED
#define UNIT_char 1
#define STRIDED_char OF_TYPE_STRIDED
#define UNIT_schar 1
#define STRIDED_schar OF_TYPE_STRIDED
#define UNIT_short sizeof(short)
#define STRIDED_short OF_TYPE_STRIDED
#define UNIT_int sizeof(int)
#define STRIDED_int OF_TYPE_STRIDED
#define UNIT_long sizeof(long)
#define STRIDED_long OF_TYPE_STRIDED
#define UNIT_longlong sizeof(long long)
#define STRIDED_longlong OF_TYPE_STRIDED
#define UNIT_uchar 1
#define STRIDED_uchar OF_TYPE_STRIDED
#define UNIT_ushort sizeof(short)
#define STRIDED_ushort OF_TYPE_STRIDED
#define UNIT_uint sizeof(int)
#define STRIDED_uint OF_TYPE_STRIDED
#define UNIT_ulong sizeof(long)
#define STRIDED_ulong OF_TYPE_STRIDED
#define UNIT_ulonglong sizeof(long long)
#define STRIDED_ulonglong OF_TYPE_STRIDED
#define UNIT_int8 1
#define STRIDED_int8 OF_TYPE_STRIDED
#define UNIT_int16 2
#define STRIDED_int16 OF_TYPE_STRIDED
#define UNIT_int32 4
#define STRIDED_int32 OF_TYPE_STRIDED
#define UNIT_int64 8
#define STRIDED_int64 OF_TYPE_STRIDED
#define UNIT_uint8 1
#define STRIDED_uint8 OF_TYPE_STRIDED
#define UNIT_uint16 2
#define STRIDED_uint16 OF_TYPE_STRIDED
#define UNIT_uint32 4
#define STRIDED_uint32 OF_TYPE_STRIDED
#define UNIT_uint64 8
#define STRIDED_uint64 OF_TYPE_STRIDED
#define UNIT_size 8
#define STRIDED_size OF_TYPE_STRIDED
#define UNIT_ptrdiff 8
#define STRIDED_ptrdiff OF_TYPE_STRIDED
SHMEMX_RMA_TYPES(MOVES_OF_TYPE, )
/* Bytes: an element is one byte, in strides too. */
#define UNIT_mem 1
#define STRIDED_mem OF_TYPE_STRIDED
MOVES(mem, , mem, void, unsigned char)

/* The same numbers by hand. */
#define REDUCTION(NAME, TYPE, WHAT, OP, EXPRESSION)                                                 \
  static void NAME##_##WHAT(shmem_team_t team) {                                                    \
    const int size = shmem_team_n_pes(team), rank = rank_in(team);                                  \
    for (int in_place = 0; in_place < 2; ++in_place) {                                              \
      TYPE *dest = DEST(TYPE), *source = in_place ? dest : SOURCE(TYPE);                            \
      for (int i = 0; i < kElements; ++i) source[i] = (TYPE)value(rank, i);                         \
      CHECK("§9.10.9: 0 of " #NAME #WHAT, shmem_##NAME##_##WHAT(team, dest, source, kElements) == 0); \
      int good = 1;                                                                                 \
      for (int i = 0; i < kElements; ++i) {                                                         \
        TYPE a = (TYPE)value(0, i);                                                                 \
        for (int pe = 1; pe < size; ++pe) {                                                         \
          const TYPE b = (TYPE)value(pe, i);                                                        \
          a = (TYPE)(EXPRESSION);                                                                   \
        }                                                                                           \
        good &= dest[i] == a;                                                                       \
      }                                                                                             \
      CHECK("§9.10.9: " #NAME #WHAT, good);                                                         \
      shmem_team_sync(team);                                                                        \
    }                                                                                               \
  }
#define BITS_OF_TYPE(NAME, TYPE, ...)              \
  REDUCTION(NAME, TYPE, and_reduce, &, a & b)      \
  REDUCTION(NAME, TYPE, or_reduce, |, a | b)       \
  REDUCTION(NAME, TYPE, xor_reduce, ^, a ^ b)
#define ORDER_OF_TYPE(NAME, TYPE, ...)                    \
  REDUCTION(NAME, TYPE, max_reduce, >, a > b ? a : b)     \
  REDUCTION(NAME, TYPE, min_reduce, <, a < b ? a : b)
#define SUMS_OF_TYPE(NAME, TYPE, ...)              \
  REDUCTION(NAME, TYPE, sum_reduce, +, a + b)      \
  REDUCTION(NAME, TYPE, prod_reduce, *, a * b)
SHMEMX_BIT_REDUCE_TYPES(BITS_OF_TYPE, )
SHMEMX_RMA_TYPES(ORDER_OF_TYPE, )
SHMEMX_RMA_TYPES(SUMS_OF_TYPE, )
SHMEMX_COMPLEX_TYPES(SUMS_OF_TYPE, )

#define SCAN(NAME, TYPE, WHAT, LAST)                                                               \
  static void NAME##_##WHAT(shmem_team_t team) {                                                   \
    const int rank = rank_in(team);                                                                \
    for (int in_place = 0; in_place < 2; ++in_place) {                                             \
      TYPE *dest = DEST(TYPE), *source = in_place ? dest : SOURCE(TYPE);                           \
      for (int i = 0; i < kElements; ++i) source[i] = (TYPE)value(rank, i);                        \
      shmem_team_sync(team);                                                                       \
      CHECK("§9.10.10: 0 of " #NAME #WHAT, shmem_##NAME##_##WHAT(team, dest, source, kElements) == 0); \
      int good = 1;                                                                                \
      for (int i = 0; i < kElements; ++i) {                                                        \
        TYPE a = 0;                                                                                \
        for (int pe = 0; pe < rank + LAST; ++pe) a = (TYPE)(a + (TYPE)value(pe, i));               \
        good &= dest[i] == a;                                                                      \
      }                                                                                            \
      CHECK("§9.10.10: " #NAME #WHAT, good);                                                       \
      shmem_team_sync(team);                                                                       \
    }                                                                                              \
  }
#define SCANS_OF_TYPE(NAME, TYPE, ...) SCAN(NAME, TYPE, sum_inscan, 1) SCAN(NAME, TYPE, sum_exscan, 0)
SHMEMX_RMA_TYPES(SCANS_OF_TYPE, )
SHMEMX_COMPLEX_TYPES(SCANS_OF_TYPE, )

static void of_team(shmem_team_t team) {
  if (team == SHMEM_TEAM_INVALID) return;
#define RUN_MOVES(NAME, TYPE, ...) moves_##NAME(team);
#define RUN_BITS(NAME, TYPE, ...) NAME##_and_reduce(team), NAME##_or_reduce(team), NAME##_xor_reduce(team);
#define RUN_ORDER(NAME, TYPE, ...) NAME##_max_reduce(team), NAME##_min_reduce(team);
#define RUN_SUMS(NAME, TYPE, ...) \
  NAME##_sum_reduce(team), NAME##_prod_reduce(team), NAME##_sum_inscan(team), NAME##_sum_exscan(team);
  SHMEMX_RMA_TYPES(RUN_MOVES, )
  moves_mem(team);
  SHMEMX_BIT_REDUCE_TYPES(RUN_BITS, )
  SHMEMX_RMA_TYPES(RUN_ORDER, )
  SHMEMX_RMA_TYPES(RUN_SUMS, )
  SHMEMX_COMPLEX_TYPES(RUN_SUMS, )
}

/* ---- Active sets (deprecated): the one that begins at PE 0. */
struct set {
  int log_stride, size, rank;
  long* sync;
};

#define ASET 0, set->log_stride, set->size
#define MEET shmem_sync(ASET, set->sync)

#define ASET_MOVES(BITS, T)                                                                          \
  static void aset_moves_##BITS(const struct set* set) {                                             \
    const int size = set->size, rank = set->rank;                                                    \
    T *dest = DEST(T), *source = SOURCE(T);                                                          \
    for (int i = 0; i < kElements * size * 3; ++i) source[i] = (T)value(rank, i);                    \
    for (int root = 0; root < size; ++root) {                                                        \
      for (int i = 0; i < kElements; ++i) dest[i] = (T)9;                                            \
      MEET;                                                                                          \
      shmem_broadcast##BITS(dest, source, kElements, root, ASET, set->sync);                         \
      int good = 1;                                                                                  \
      for (int i = 0; i < kElements; ++i) good &= dest[i] == (rank == root ? (T)9 : (T)value(root, i)); \
      CHECK("§9.10.7: the root's own dest is left alone", good);                                     \
      MEET;                                                                                          \
    }                                                                                                \
    shmem_fcollect##BITS(dest, source, kElements, ASET, set->sync);                                  \
    int good = 1;                                                                                    \
    for (int i = 0; i < kElements * size; ++i) good &= dest[i] == (T)value(i / kElements, i % kElements); \
    CHECK("§9.10.8 fcollect" #BITS, good);                                                           \
    MEET;                                                                                            \
    shmem_collect##BITS(dest, source, (size_t)(rank % 3), ASET, set->sync);                          \
    good = 1;                                                                                        \
    for (int pe = 0, at = 0; pe < size; ++pe) {                                                      \
      for (int i = 0; i < pe % 3; ++i, ++at) good &= dest[at] == (T)value(pe, i);                    \
    }                                                                                                \
    CHECK("§9.10.8 collect" #BITS, good);                                                            \
    MEET;                                                                                            \
    shmem_alltoall##BITS(dest, source, kElements, ASET, set->sync);                                  \
    good = 1;                                                                                        \
    for (int i = 0; i < kElements * size; ++i)                                                       \
      good &= dest[i] == (T)value(i / kElements, rank * kElements + i % kElements);                  \
    CHECK("§9.10.5 alltoall" #BITS, good);                                                           \
    MEET;                                                                                            \
    shmem_alltoalls##BITS(dest, source, 2, 3, kElements, ASET, set->sync);                           \
    good = 1;                                                                                        \
    for (int i = 0; i < kElements * size; ++i)                                                       \
      good &= dest[i * 2] == (T)value(i / kElements, (rank * kElements + i % kElements) * 3);        \
    CHECK("§9.10.6 alltoalls" #BITS, good);                                                          \
    MEET;                                                                                            \
  }
ASET_MOVES(32, uint32_t)
ASET_MOVES(64, uint64_t)

#define TO_ALL(NAME, TYPE, WHAT, EXPRESSION)                                                         \
  static void NAME##_##WHAT(const struct set* set) {                                                 \
    TYPE *dest = DEST(TYPE), *source = SOURCE(TYPE), *work = source + kElements;                     \
    for (int i = 0; i < kElements; ++i) source[i] = (TYPE)value(set->rank, i);                       \
    shmem_##NAME##_##WHAT(dest, source, kElements, ASET, work, set->sync);                           \
    int good = 1;                                                                                    \
    for (int i = 0; i < kElements; ++i) {                                                            \
      TYPE a = (TYPE)value(0, i);                                                                    \
      for (int pe = 1; pe < set->size; ++pe) {                                                       \
        const TYPE b = (TYPE)value(pe, i);                                                           \
        a = (TYPE)(EXPRESSION);                                                                      \
      }                                                                                              \
      good &= dest[i] == a;                                                                          \
    }                                                                                                \
    CHECK("§9.10.9: " #NAME #WHAT, good);                                                            \
    shmem_barrier(ASET, set->sync);                                                                  \
  }
#define BITS_TO_ALL(NAME, TYPE, ...)         \
  TO_ALL(NAME, TYPE, and_to_all, a & b)      \
  TO_ALL(NAME, TYPE, or_to_all, a | b)       \
  TO_ALL(NAME, TYPE, xor_to_all, a ^ b)
#define ORDER_TO_ALL(NAME, TYPE, ...)             \
  TO_ALL(NAME, TYPE, max_to_all, a > b ? a : b)   \
  TO_ALL(NAME, TYPE, min_to_all, a < b ? a : b)
#define SUMS_TO_ALL(NAME, TYPE, ...)     \
  TO_ALL(NAME, TYPE, sum_to_all, a + b)  \
  TO_ALL(NAME, TYPE, prod_to_all, a * b)
SHMEMX_TO_ALL_TYPES(BITS_TO_ALL, )
SHMEMX_TO_ALL_TYPES(ORDER_TO_ALL, )
SHMEMX_TO_ALL_FLOAT_TYPES(ORDER_TO_ALL, )
SHMEMX_TO_ALL_TYPES(SUMS_TO_ALL, )
SHMEMX_TO_ALL_FLOAT_TYPES(SUMS_TO_ALL, )
SHMEMX_COMPLEX_TYPES(SUMS_TO_ALL, )

static void of_active_set(const struct set* set) {
  begin_with(0);
  if (set->rank < 0) return;
  aset_moves_32(set);
  aset_moves_64(set);
#define RUN_BITS_TO_ALL(NAME, TYPE, ...) NAME##_and_to_all(set), NAME##_or_to_all(set), NAME##_xor_to_all(set);
#define RUN_ORDER_TO_ALL(NAME, TYPE, ...) NAME##_max_to_all(set), NAME##_min_to_all(set);
#define RUN_SUMS_TO_ALL(NAME, TYPE, ...) NAME##_sum_to_all(set), NAME##_prod_to_all(set);
  SHMEMX_TO_ALL_TYPES(RUN_BITS_TO_ALL, )
  SHMEMX_TO_ALL_TYPES(RUN_ORDER_TO_ALL, )
  SHMEMX_TO_ALL_FLOAT_TYPES(RUN_ORDER_TO_ALL, )
  SHMEMX_TO_ALL_TYPES(RUN_SUMS_TO_ALL, )
  SHMEMX_TO_ALL_FLOAT_TYPES(RUN_SUMS_TO_ALL, )
  SHMEMX_COMPLEX_TYPES(RUN_SUMS_TO_ALL, )
  CHECK("§9.10: pSync is restored", set->sync[0] == SHMEM_SYNC_VALUE && set->sync[1] == SHMEM_SYNC_VALUE);
}

/* Annex C: nothing, from nowhere. */
static void of_nothing(void) {
  CHECK("Annex C", shmem_int_broadcast(SHMEM_TEAM_WORLD, NULL, NULL, 0, 0) == 0);
  CHECK("Annex C", shmem_int_collect(SHMEM_TEAM_WORLD, NULL, NULL, 0) == 0);
  CHECK("Annex C", shmem_int_fcollect(SHMEM_TEAM_WORLD, NULL, NULL, 0) == 0);
  CHECK("Annex C", shmem_int_alltoall(SHMEM_TEAM_WORLD, NULL, NULL, 0) == 0);
  CHECK("Annex C", shmem_int_alltoalls(SHMEM_TEAM_WORLD, NULL, NULL, 1, 1, 0) == 0);
  CHECK("Annex C", shmem_int_sum_reduce(SHMEM_TEAM_WORLD, NULL, NULL, 0) == 0);
  CHECK("Annex C", shmem_int_sum_inscan(SHMEM_TEAM_WORLD, NULL, NULL, 0) == 0);
}

void chapter_collectives(void) {
  sync_of_all = shmem_malloc(2 * SHMEM_SYNC_SIZE * sizeof(long));
  for (int i = 0; i < 2 * SHMEM_SYNC_SIZE; ++i) sync_of_all[i] = SHMEM_SYNC_VALUE;
  sync_of_half = sync_of_all + SHMEM_SYNC_SIZE;
  shmem_barrier_all();
  of_team(SHMEM_TEAM_WORLD);
  shmem_team_split_strided(SHMEM_TEAM_WORLD, 0, 2, (n + 1) / 2, NULL, 0, &half);
  of_team(half);
  shmem_team_destroy(half);
  const struct set all = {0, n, me, sync_of_all};
  const struct set every_second = {1, (n + 1) / 2, me % 2 == 0 ? me / 2 : -1, sync_of_half};
  of_active_set(&all);
  of_active_set(&every_second);
  of_nothing();
  shmem_free(sync_of_all);
}
