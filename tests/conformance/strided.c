/* §9.6 Strided and block-strided RMA, of every type and size. */
#include "conformance.h"

enum { kCount = 4, kMostBytes = 16, kArea = 16 * kMostBytes };

/* One element: `pe` and `index` in its first byte, the rest follows. */
static void element(char* at, size_t bytes, int pe, int index) {
  for (size_t i = 0; i < bytes; ++i) at[i] = (char)(pe * 16 + index * 3 + (int)i + 1);
}

/* Whether element `index` of what `pe` sent lies at `at`, with zeros in the element after it. */
static int is_element(const char* at, size_t bytes, int pe, int index) {
  char wanted[kMostBytes];
  element(wanted, bytes, pe, index);
  return memcmp(at, wanted, bytes) == 0;
}
static int is_zero(const char* at, size_t bytes) {
  const char zero[kMostBytes] = {0};
  return memcmp(at, zero, bytes) == 0;
}

/* Every third element of the target from every second of the source: elements 0, 2, 4, 6 of it. */
static void check_elements(const char* what, const char* at, size_t bytes, int pe) {
  int right_ones = 1;
  for (int i = 0; i < kCount; ++i) {
    right_ones &= is_element(at + (size_t)(3 * i) * bytes, bytes, pe, 2 * i);
    right_ones &= is_zero(at + (size_t)(3 * i + 1) * bytes, bytes);
  }
  CHECK(what, right_ones);
}
/* Blocks of two, five apart, from blocks of two that are three apart: elements 0 1, 3 4, 6 7. */
static void check_blocks(const char* what, const char* at, size_t bytes, int pe) {
  int right_ones = 1;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 2; ++j) {
      right_ones &= is_element(at + (size_t)(5 * i + j) * bytes, bytes, pe, 3 * i + j);
    }
    right_ones &= is_zero(at + (size_t)(5 * i + 2) * bytes, bytes);
  }
  CHECK(what, right_ones);
}

#define PUT(A, B, T, CTX, ARGS, AREA)                                                              \
  shmem_##CTX##A##iput##B ARGS((T*)(block + AREA * kArea), (const T*)source, 3, 2, kCount, right); \
  shmem_##CTX##A##ibput##B ARGS((T*)(block + (AREA + 1) * kArea), (const T*)source, 5, 3, 2, 3,    \
                                right);                                                            \
  shmem_##CTX##A##iput##B ARGS(NULL, NULL, 1, 1, 0, right);                                        \
  shmem_##CTX##A##ibput##B ARGS(NULL, NULL, 1, 1, 1, 0, right);
#define GET(A, B, T, CTX, ARGS)                                                               \
  memset(back, 0, sizeof back);                                                               \
  shmem_##CTX##A##iget##B ARGS((T*)back, (const T*)(block + 4 * kArea), 3, 2, kCount, right); \
  check_elements("§9.6: iget", back, bytes, right);                                           \
  memset(back, 0, sizeof back);                                                               \
  shmem_##CTX##A##ibget##B ARGS((T*)back, (const T*)(block + 4 * kArea), 5, 3, 2, 3, right);  \
  check_blocks("§9.6: ibget", back, bytes, right);

#define FAMILY(ID, A, B, T, BYTES)                                                      \
  static void strided_##ID(void) {                                                      \
    const size_t bytes = BYTES;                                                         \
    char source[kArea], back[kArea];                                                    \
    fresh();                                                                            \
    for (int i = 0; i < 16; ++i) {                                                      \
      element(source + (size_t)i * bytes, bytes, me, i);                                \
      element(block + 4 * kArea + (size_t)i * bytes, bytes, me, i);                     \
    }                                                                                   \
    shmem_barrier_all();                                                                \
    PUT(A, B, T, , NO_CTX, 0)                                                           \
    PUT(A, B, T, ctx_, IN_CTX, 2)                                                       \
    GET(A, B, T, , NO_CTX)                                                              \
    GET(A, B, T, ctx_, IN_CTX)                                                          \
    complete();                                                                         \
    for (int form = 0; form < 2; ++form) {                                              \
      check_elements("§9.6: iput of " #ID, block + 2 * form * kArea, bytes, left);      \
      check_blocks("§9.6: ibput of " #ID, block + (2 * form + 1) * kArea, bytes, left); \
    }                                                                                   \
  }
#define FAMILY_OF_TYPE(NAME, TYPE, ...) FAMILY(NAME, NAME##_, , TYPE, sizeof(TYPE))
#define FAMILY_OF_SIZE(BITS, BYTES, ...) FAMILY(BITS, , BITS, void, BYTES)
SHMEMX_RMA_TYPES(FAMILY_OF_TYPE, )
SHMEMX_SIZES(FAMILY_OF_SIZE, )

#define CALL(NAME, ...) strided_##NAME();
void chapter_strided(void) {
  SHMEMX_RMA_TYPES(CALL, )
  SHMEMX_SIZES(CALL, )
}
