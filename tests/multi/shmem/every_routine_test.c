/* Calls every (routine, type) pair of shmem.h at least once, each PE towards its right neighbour,
 * and checks what arrived from the left. Any PE that fails makes all fail; only PE 0 prints OK. */
#include <mpp/shmem.h>
#include <mpp/shmemx.h>
#include <shmem.h>
#include <shmemx.h>
#include <stdio.h>
#include <string.h>

static int me, n, right, left;
static int failures;
static long checks;

#define CHECK(what, condition)                                          \
  do {                                                                  \
    ++checks;                                                           \
    if (!(condition)) {                                                 \
      ++failures;                                                       \
      fprintf(stderr, "PE %d line %d: %s fails\n", me, __LINE__, what); \
    }                                                                   \
  } while (0)

enum { kCount = 5 };

/* put, get, p, g, nbi and put-with-signal of one type; `block` is 8 * 16 * kCount symmetric bytes.
 */
#define RMA(NAME, TYPE, ...)                                                                     \
  static void rma_##NAME(void* block, uint64_t* signal) {                                        \
    TYPE* at = block;                                                                            \
    TYPE source[kCount], back[kCount];                                                           \
    const TYPE base = (TYPE)(left + 1);                                                          \
    for (int i = 0; i < kCount; ++i) source[i] = (TYPE)(me + 1 + i);                             \
    memset(block, 0, 8 * 16 * kCount);                                                           \
    *signal = 0;                                                                                 \
    shmem_barrier_all();                                                                         \
    shmem_##NAME##_put(at, source, kCount, right);                                               \
    shmem_##NAME##_put_nbi(at + kCount, source, kCount, right);                                  \
    shmem_##NAME##_p(at + 2 * kCount, source[1], right);                                         \
    shmem_barrier_all();                                                                         \
    CHECK(#NAME " put", at[0] == base && at[kCount - 1] == (TYPE)(base + kCount - 1));           \
    CHECK(#NAME " put_nbi",                                                                      \
          at[kCount] == base && at[2 * kCount - 1] == (TYPE)(base + kCount - 1));                \
    CHECK(#NAME " p", at[2 * kCount] == (TYPE)(base + 1));                                       \
    CHECK(#NAME " put bounds", at[2 * kCount + 1] == (TYPE)0);                                   \
    shmem_##NAME##_get(back, at, kCount, right);                                                 \
    CHECK(#NAME " get", memcmp(back, source, 1) == 0 && back[kCount - 1] == source[kCount - 1]); \
    shmem_##NAME##_get_nbi(back, at + kCount, kCount, right);                                    \
    shmem_quiet();                                                                               \
    CHECK(#NAME " get_nbi", back[0] == source[0] && back[kCount - 1] == source[kCount - 1]);     \
    CHECK(#NAME " g", shmem_##NAME##_g(at + 2 * kCount, right) == source[1]);                    \
    shmem_barrier_all();                                                                         \
    shmem_##NAME##_put_signal(at + 3 * kCount, source, kCount, signal, 3, SHMEM_SIGNAL_SET,      \
                              right);                                                            \
    CHECK(#NAME " signal", shmem_signal_wait_until(signal, SHMEM_CMP_EQ, 3) == 3);               \
    CHECK(#NAME " put_signal",                                                                   \
          at[3 * kCount] == base && at[4 * kCount - 1] == (TYPE)(base + kCount - 1));            \
    shmem_barrier_all();                                                                         \
    shmem_##NAME##_put_signal_nbi(at + 4 * kCount, source, kCount, signal, 4, SHMEM_SIGNAL_ADD,  \
                                  right);                                                        \
    CHECK(#NAME " signal", shmem_signal_wait_until(signal, SHMEM_CMP_GT, 3) == 7);               \
    CHECK(#NAME " put_signal_nbi", at[4 * kCount] == base);                                      \
    shmem_barrier_all();                                                                         \
  }
SHMEMX_RMA_TYPES(RMA, )

#define SIZED(BITS, BYTES, ...)                                                                    \
  static void sized_##BITS(void* block, uint64_t* signal) {                                        \
    char* at = block;                                                                              \
    enum { kBytes = kCount * BYTES };                                                              \
    char source[kBytes], back[kBytes];                                                             \
    memset(source, 'a' + me, kBytes);                                                              \
    memset(block, 0, 8 * 16 * kCount);                                                             \
    *signal = 0;                                                                                   \
    shmem_barrier_all();                                                                           \
    shmem_put##BITS(at, source, kCount, right);                                                    \
    shmem_put##BITS##_nbi(at + kBytes, source, kCount, right);                                     \
    shmem_put##BITS##_signal(at + 2 * kBytes, source, kCount, signal, 1, SHMEM_SIGNAL_ADD, right); \
    shmem_put##BITS##_signal_nbi(at + 3 * kBytes, source, kCount, signal, 1, SHMEM_SIGNAL_ADD,     \
                                 right);                                                           \
    shmem_signal_wait_until(signal, SHMEM_CMP_GE, 2);                                              \
    shmem_barrier_all();                                                                           \
    for (int i = 0; i < 4 * kBytes; ++i) CHECK("put" #BITS, at[i] == 'a' + left);                  \
    CHECK("put" #BITS " bounds", at[4 * kBytes] == 0);                                             \
    shmem_get##BITS(back, at, kCount, right);                                                      \
    CHECK("get" #BITS, memcmp(back, source, kBytes) == 0);                                         \
    memset(back, 0, kBytes);                                                                       \
    shmem_get##BITS##_nbi(back, at + kBytes, kCount, right);                                       \
    shmem_quiet();                                                                                 \
    CHECK("get" #BITS "_nbi", memcmp(back, source, kBytes) == 0);                                  \
    shmem_barrier_all();                                                                           \
  }
SHMEMX_SIZES(SIZED, )
SIZED(mem, 1, )

#define EXTENDED(NAME, TYPE, ...)                                                                  \
  static void extended_##NAME(void* block) {                                                       \
    TYPE* at = block;                                                                              \
    *at = (TYPE)0;                                                                                 \
    shmem_barrier_all();                                                                           \
    shmem_##NAME##_atomic_set(at, (TYPE)(me + 1), right);                                          \
    shmem_barrier_all();                                                                           \
    CHECK(#NAME " atomic_set", *at == (TYPE)(left + 1));                                           \
    CHECK(#NAME " atomic_fetch", shmem_##NAME##_atomic_fetch(at, right) == (TYPE)(me + 1));        \
    shmem_barrier_all();                                                                           \
    CHECK(#NAME " atomic_swap", shmem_##NAME##_atomic_swap(at, (TYPE)9, right) == (TYPE)(me + 1)); \
    shmem_barrier_all();                                                                           \
    CHECK(#NAME " atomic_swap", *at == (TYPE)9);                                                   \
    shmem_barrier_all();                                                                           \
  }
SHMEMX_AMO_TYPES(EXTENDED, )
SHMEMX_AMO_FLOAT_TYPES(EXTENDED, )

#define STANDARD(NAME, TYPE, ...)                                                                  \
  static void standard_##NAME(void* block) {                                                       \
    TYPE* at = block;                                                                              \
    *at = (TYPE)0;                                                                                 \
    shmem_barrier_all();                                                                           \
    shmem_##NAME##_atomic_inc(at, 0);                                                              \
    shmem_##NAME##_atomic_add(at, (TYPE)2, 0);                                                     \
    CHECK(#NAME " fetch_inc", shmem_##NAME##_atomic_fetch_inc(at, 0) >= (TYPE)3);                  \
    CHECK(#NAME " fetch_add", shmem_##NAME##_atomic_fetch_add(at, (TYPE)3, 0) >= (TYPE)4);         \
    shmem_barrier_all();                                                                           \
    CHECK(#NAME " sum", shmem_##NAME##_atomic_fetch(at, 0) == (TYPE)(7 * n));                      \
    shmem_barrier_all();                                                                           \
    CHECK(#NAME " cswap",                                                                          \
          shmem_##NAME##_atomic_compare_swap(at, (TYPE)(7 * n + 1), (TYPE)1, 0) == (TYPE)(7 * n)); \
    shmem_barrier_all();                                                                           \
    const TYPE old = shmem_##NAME##_atomic_compare_swap(at, (TYPE)(7 * n), (TYPE)(-1), 0);         \
    CHECK(#NAME " cswap", old == (TYPE)(7 * n) || old == (TYPE)(-1));                              \
    shmem_barrier_all();                                                                           \
    CHECK(#NAME " cswap", shmem_##NAME##_atomic_fetch(at, 0) == (TYPE)(-1));                       \
    shmem_barrier_all();                                                                           \
  }
SHMEMX_AMO_TYPES(STANDARD, )

#define BITWISE(NAME, TYPE, ...)                                                          \
  static void bitwise_##NAME(void* block) {                                               \
    TYPE* at = block;                                                                     \
    const TYPE bit = (TYPE)((TYPE)1 << me);                                               \
    *at = (TYPE)0;                                                                        \
    shmem_barrier_all();                                                                  \
    shmem_##NAME##_atomic_or(at, bit, 0);                                                 \
    CHECK(#NAME " fetch_or",                                                              \
          (shmem_##NAME##_atomic_fetch_or(at, (TYPE)(bit << 8), 0) & bit) != 0);          \
    shmem_barrier_all();                                                                  \
    const TYPE all = (TYPE)((1 << n) - 1);                                                \
    CHECK(#NAME " or", shmem_##NAME##_atomic_fetch(at, 0) == (TYPE)(all | all << 8));     \
    shmem_barrier_all();                                                                  \
    shmem_##NAME##_atomic_and(at, (TYPE)~bit, 0);                                         \
    CHECK(#NAME " fetch_and",                                                             \
          (shmem_##NAME##_atomic_fetch_and(at, (TYPE) ~(TYPE)(bit << 8), 0) & bit) == 0); \
    shmem_barrier_all();                                                                  \
    CHECK(#NAME " and", shmem_##NAME##_atomic_fetch(at, 0) == (TYPE)0);                   \
    shmem_barrier_all();                                                                  \
    shmem_##NAME##_atomic_xor(at, bit, 0);                                                \
    CHECK(#NAME " fetch_xor",                                                             \
          (shmem_##NAME##_atomic_fetch_xor(at, (TYPE)(bit << 8), 0) & bit) != 0);         \
    shmem_barrier_all();                                                                  \
    CHECK(#NAME " xor", shmem_##NAME##_atomic_fetch(at, 0) == (TYPE)(all | all << 8));    \
    shmem_barrier_all();                                                                  \
  }
SHMEMX_BIT_TYPES(BITWISE, )

#define WAITING(NAME, TYPE, ...)                                               \
  static void waiting_##NAME(void* block) {                                    \
    TYPE* at = block;                                                          \
    *at = (TYPE)1;                                                             \
    shmem_barrier_all();                                                       \
    CHECK(#NAME " test", shmem_##NAME##_test(at, SHMEM_CMP_EQ, (TYPE)1) == 1); \
    CHECK(#NAME " test", shmem_##NAME##_test(at, SHMEM_CMP_NE, (TYPE)1) == 0); \
    CHECK(#NAME " test", shmem_##NAME##_test(at, SHMEM_CMP_LT, (TYPE)2) == 1); \
    CHECK(#NAME " test", shmem_##NAME##_test(at, SHMEM_CMP_LE, (TYPE)0) == 0); \
    CHECK(#NAME " test", shmem_##NAME##_test(at, SHMEM_CMP_GT, (TYPE)0) == 1); \
    CHECK(#NAME " test", shmem_##NAME##_test(at, SHMEM_CMP_GE, (TYPE)2) == 0); \
    shmem_barrier_all();                                                       \
    shmem_##NAME##_p(at, (TYPE)(left + 5), right);                             \
    shmem_##NAME##_wait_until(at, SHMEM_CMP_GE, (TYPE)5);                      \
    CHECK(#NAME " wait_until", *at >= (TYPE)5);                                \
    shmem_barrier_all();                                                       \
  }
SHMEMX_AMO_TYPES(WAITING, )
SHMEMX_SHORT_TYPES(WAITING, )

/* C11 generics, for every type that has them. */
#define GENERIC(NAME, TYPE)                                                                        \
  static void generic_##NAME(void* block, uint64_t* signal) {                                      \
    TYPE* at = block;                                                                              \
    const TYPE* from = at;                                                                         \
    TYPE value[1] = {(TYPE)(me + 1)};                                                              \
    *signal = 0;                                                                                   \
    shmem_barrier_all();                                                                           \
    shmem_put(at, value, 1, right);                                                                \
    shmem_put_nbi(at + 1, value, 1, right);                                                        \
    shmem_p(at + 2, value[0], right);                                                              \
    shmem_put_signal(at + 3, value, 1, signal, 1, SHMEM_SIGNAL_ADD, right);                        \
    shmem_put_signal_nbi(at + 4, value, 1, signal, 1, SHMEM_SIGNAL_ADD, right);                    \
    shmem_barrier_all();                                                                           \
    for (int i = 0; i < 5; ++i) CHECK("generic put " #NAME, at[i] == (TYPE)(left + 1));            \
    CHECK("generic g " #NAME, shmem_g(from, right) == value[0] && shmem_g(at, right) == value[0]); \
    shmem_get(value, from, 1, left);                                                               \
    shmem_get_nbi(value, at, 1, left);                                                             \
    shmem_quiet();                                                                                 \
    CHECK("generic get " #NAME, value[0] == (TYPE)((left + n - 1) % n + 1));                       \
    shmem_barrier_all();                                                                           \
  }
/* Not through a list: the generics are made of the lists, and no macro expands inside itself. */
#define GENERIC_TYPES(X)                                                                           \
  X(float, float)                                                                                  \
  X(double, double) X(longdouble, long double) X(char, char) X(schar, signed char) X(short, short) \
      X(int, int) X(long, long) X(longlong, long long) X(uchar, unsigned char)                     \
          X(ushort, unsigned short) X(uint, unsigned int) X(ulong, unsigned long)                  \
              X(ulonglong, unsigned long long)
GENERIC_TYPES(GENERIC)

static void generic_atomics(long* at, unsigned* bits, double* real, short* small) {
  *at = 0;
  *bits = 0;
  *real = 0;
  *small = 7;
  shmem_barrier_all();
  shmem_atomic_add(at, 1, 0);
  shmem_atomic_inc(at, 0);
  shmem_atomic_fetch_add(at, 1, 0);
  shmem_atomic_fetch_inc(at, 0);
  shmem_atomic_or(bits, 1u << me, 0);
  shmem_atomic_fetch_or(bits, 1u << me, 0);
  shmem_atomic_and(bits, ~0u, 0);
  shmem_atomic_fetch_and(bits, ~0u, 0);
  shmem_atomic_xor(bits, 0u, 0);
  shmem_atomic_fetch_xor(bits, 0u, 0);
  shmem_atomic_set(real, 2.5, right);
  shmem_barrier_all();
  CHECK("generic atomics", shmem_atomic_fetch(at, 0) == 4 * n);
  CHECK("generic bits", shmem_atomic_fetch(bits, 0) == (1u << n) - 1);
  CHECK("generic fetch", shmem_atomic_fetch((const double*)real, me) == 2.5);
  shmem_barrier_all();
  CHECK("generic swap", shmem_atomic_swap(real, 1.5, right) == 2.5);
  CHECK("generic cswap", shmem_atomic_compare_swap(at, -1, 0, 0) == 4 * n);
  CHECK("generic test", shmem_test(small, SHMEM_CMP_EQ, 7) == 1);
  shmem_wait_until(at, SHMEM_CMP_GE, 0);
  shmem_barrier_all();
}

static void queries(char* block) {
  int major = 0, minor = 0, flag = 0;
  char name[SHMEM_MAX_NAME_LEN];
  shmem_info_get_version(&major, &minor);
  shmem_info_get_name(name);
  CHECK("version", major == SHMEM_MAJOR_VERSION && minor == SHMEM_MINOR_VERSION);
  CHECK("name", strcmp(name, SHMEM_VENDOR_STRING) == 0);
  shmem_query_initialized(&flag);
  CHECK("initialized", flag == 1);
  shmem_query_thread(&flag);
  CHECK("thread", flag == SHMEM_THREAD_MULTIPLE);
  CHECK("pe_accessible", shmem_pe_accessible(0) && shmem_pe_accessible(n - 1));
  CHECK("pe_accessible", !shmem_pe_accessible(n) && !shmem_pe_accessible(-10));
  CHECK("addr_accessible",
        shmem_addr_accessible(block, right) && !shmem_addr_accessible(NULL, right));
  CHECK("addr_accessible", !shmem_addr_accessible(&flag, right));
  CHECK("ptr", shmem_ptr(block, me) == block && shmem_ptr(block, n) == NULL);
  char why[64];
  CHECK("why", shmemx_why(n, why, sizeof why) == -1 && shmemx_why(right, why, sizeof why) > 0);
  const int near_us = strncmp(why, "mapped", 6) == 0 || strncmp(why, "self", 4) == 0;
  char* there = shmem_ptr(block, right);
  CHECK("ptr", (there != NULL) == (near_us || right == me));
  if (there != NULL) {
    *there = (char)(1 + me);
  } else {
    shmem_char_p(block, (char)(1 + me), right);
  }
  shmem_barrier_all();
  CHECK("ptr", *block == (char)(1 + left));
}

static void memory(void) {
  CHECK("malloc 0", shmem_malloc(0) == NULL);
  CHECK("align 3", shmem_align(3, 8) == NULL);
  CHECK("too much", shmem_malloc((size_t)1 << 45) == NULL);
  for (int bit = 0; bit < 63; ++bit) { /* right, or refused */
    void* block = shmem_align((size_t)1 << bit, 64);
    CHECK("align", ((uintptr_t)block & (((uintptr_t)1 << bit) - 1)) == 0 && (bit > 21 || block != NULL));
    shmem_free(block);
  }
  char* aligned = shmem_align(4096, 100);
  CHECK("align", aligned != NULL && (size_t)aligned % 4096 == 0);
  char* hinted = shmem_malloc_with_hints(10, SHMEM_MALLOC_SIGNAL_REMOTE);
  hinted = shmem_realloc(hinted, 10000);
  CHECK("realloc", hinted != NULL);
  shmem_free(hinted);
  shmem_free(aligned);
  shmem_free(NULL);
}

int main(void) {
  int provided = -1, flag = -1;
  shmem_query_initialized(&flag);
  CHECK("initialized before", flag == 0);
  if (shmem_init_thread(SHMEM_THREAD_MULTIPLE, &provided) != 0 ||
      provided != SHMEM_THREAD_MULTIPLE) {
    return 1;
  }
  shmem_init(); /* counted */
  me = shmem_my_pe();
  n = shmem_n_pes();
  right = (me + 1) % n;
  left = (me + n - 1) % n;
  void* block = shmem_calloc(8 * 16, kCount);
  uint64_t* signal = shmem_calloc(1, sizeof *signal);
  int* total = shmem_calloc(1, sizeof *total);

#define RUN_RMA(NAME, TYPE, ...) rma_##NAME(block, signal);
  SHMEMX_RMA_TYPES(RUN_RMA, )
#define RUN_SIZED(BITS, BYTES, ...) sized_##BITS(block, signal);
  SHMEMX_SIZES(RUN_SIZED, )
  sized_mem(block, signal);
#define RUN_EXTENDED(NAME, TYPE, ...) extended_##NAME(block);
  SHMEMX_AMO_TYPES(RUN_EXTENDED, )
  SHMEMX_AMO_FLOAT_TYPES(RUN_EXTENDED, )
#define RUN_STANDARD(NAME, TYPE, ...) standard_##NAME(block);
  SHMEMX_AMO_TYPES(RUN_STANDARD, )
#define RUN_BITWISE(NAME, TYPE, ...) bitwise_##NAME(block);
  SHMEMX_BIT_TYPES(RUN_BITWISE, )
#define RUN_WAITING(NAME, TYPE, ...) waiting_##NAME(block);
  SHMEMX_AMO_TYPES(RUN_WAITING, )
  SHMEMX_SHORT_TYPES(RUN_WAITING, )
#define RUN_GENERIC(NAME, TYPE) generic_##NAME(block, signal);
  GENERIC_TYPES(RUN_GENERIC)
  generic_atomics(block, (unsigned*)((char*)block + 8), (double*)((char*)block + 16),
                  (short*)((char*)block + 24));
  queries(block);
  memory();

  *signal = 0;
  shmem_barrier_all();
  shmem_signal_set(signal, 5, right);
  shmem_signal_wait_until(signal, SHMEM_CMP_EQ, 5);
  shmem_barrier_all();
  shmem_signal_add(signal, 2, right);
  shmem_signal_wait_until(signal, SHMEM_CMP_EQ, 7);
  CHECK("signal_fetch", shmem_signal_fetch(signal) == 7);
  shmem_fence();
  shmem_sync_all();

  shmemx_op_counts_t counts;
  shmemx_op_counts(&counts);
  CHECK("counts", counts.host_puts > 0 && counts.host_signals > 0 && counts.kernel_puts == 0);

  shmem_int_atomic_add(total, failures, 0);
  shmem_barrier_all();
  const int all = shmem_int_g(total, 0);
  if (me == 0 && all == 0) {
    printf("OK: %ld checks on each of %d PEs\n", checks, n);
  }
  shmem_free(total);
  shmem_free(signal);
  shmem_free(block);
  shmem_finalize();
  shmem_finalize();
  shmem_query_initialized(&flag);
  return all != 0 || flag != 0;
}
