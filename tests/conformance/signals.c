/* §9.8 Signaling operations: put-with-signal of every type and size, and signals alone. */
#include "conformance.h"

enum { kCount = 5, kMostBytes = 16, kArea = 2 * kCount * kMostBytes };

static void fill(char* at, size_t bytes, int pe) {
  for (size_t i = 0; i < bytes; ++i) at[i] = (char)(pe * 29 + (int)i * 5 + 1);
}

/* §9.8.1: the data of a put-with-signal is there when its signal is. Signal 0 is set, 1 is added
 * to. */
#define SEND(A, B, T, CTX, ARGS, FIRST)                                                         \
  shmem_##CTX##A##put##B##_signal ARGS((T*)(block + (FIRST)*kArea), (const T*)source, kCount,   \
                                       signals + (FIRST), 5, SHMEM_SIGNAL_SET, right);          \
  shmem_##CTX##A##put##B##_signal_nbi ARGS((T*)(block + (FIRST + 1) * kArea), (const T*)source, \
                                           kCount, signals + (FIRST) + 1, 3, SHMEM_SIGNAL_ADD,  \
                                           right);
static void announced(const char* what, size_t bytes) {
  char wanted[kArea] = {0};
  fill(wanted, bytes, left);
  for (int i = 0; i < 4; ++i) {
    const uint64_t value = i % 2 == 0 ? 5 : 3;
    CHECK("§9.11.13: returns the value that satisfied",
          shmem_signal_wait_until(signals + i, SHMEM_CMP_EQ, value) == value);
    CHECK(what, memcmp(block + i * kArea, wanted, sizeof wanted) == 0);
  }
}
#define FAMILY(ID, A, B, T, BYTES)                          \
  static void put_signal_##ID(void) {                       \
    char source[kCount * kMostBytes];                       \
    fill(source, sizeof source, me);                        \
    fresh();                                                \
    SEND(A, B, T, , NO_CTX, 0)                              \
    SEND(A, B, T, ctx_, IN_CTX, 2)                          \
    announced("§9.8.1: put_signal of " #ID, kCount* BYTES); \
    complete();                                             \
  }
#define FAMILY_OF_TYPE(NAME, TYPE, ...) FAMILY(NAME, NAME##_, , TYPE, sizeof(TYPE))
#define FAMILY_OF_SIZE(BITS, BYTES, ...) FAMILY(BITS, , BITS, void, BYTES)
SHMEMX_RMA_TYPES(FAMILY_OF_TYPE, )
SHMEMX_SIZES(FAMILY_OF_SIZE, )
FAMILY(mem, , mem, void, 1)

static void of_nothing(void) {
  fresh();
  shmem_putmem_signal(NULL, NULL, 0, signals, 9, SHMEM_SIGNAL_SET, right);
  shmem_ctx_putmem_signal_nbi(context, NULL, NULL, 0, signals + 1, 9, SHMEM_SIGNAL_ADD, right);
  CHECK("Annex C: a put of nothing signals",
        shmem_signal_wait_until(signals, SHMEM_CMP_EQ, 9) == 9);
  shmem_signal_wait_until(signals + 1, SHMEM_CMP_EQ, 9);
  complete();
}

static void alone(void) {
  fresh();
  shmem_signal_set(signals, 40, right);
  shmem_ctx_signal_set(context, signals + 1, 50, right);
  complete();
  CHECK("§9.8.7: signal_set",
        shmem_signal_fetch(signals) == 40 && shmem_signal_fetch(signals + 1) == 50);
  shmem_barrier_all();
  shmem_signal_add(signals, 2, right);
  shmem_ctx_signal_add(context, signals + 1, UINT64_MAX, right);
  CHECK("§9.8.5: signal_add", shmem_signal_wait_until(signals, SHMEM_CMP_GT, 41) == 42);
  CHECK("§9.8.5: modulo 2^64", shmem_signal_wait_until(signals + 1, SHMEM_CMP_LT, 50) == 49);
  /* §9.8: additions of all PEs to one word. */
  fresh();
  shmem_signal_add(signals + 2, 1, 0);
  shmem_ctx_signal_add(context, signals + 2, 2, 0);
  complete();
  if (me == 0) CHECK("§9.8: no addition is lost", signals[2] == (uint64_t)(3 * n));
}

#define CALL(NAME, ...) put_signal_##NAME();
void chapter_signals(void) {
  SHMEMX_RMA_TYPES(CALL, )
  SHMEMX_SIZES(CALL, )
  CALL(mem)
  of_nothing();
  alone();
}
