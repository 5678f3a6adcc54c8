/* §9.6 Remote memory access: put, get and their nonblocking forms, of every type and size; p and g.
 */
#include "conformance.h"

enum { kCount = 5, kMostBytes = 16 };

/* What PE `pe` puts: no two neighbours alike. Bytes, as only moves are tested here. */
static void fill(char* at, size_t bytes, int pe) {
  for (size_t i = 0; i < bytes; ++i) at[i] = (char)(pe * 31 + (int)i * 7 + 1);
}

/* Four areas in `block`, each followed by bytes that must stay zero. */
static char* area(int index) { return block + index * 2 * kCount * kMostBytes; }

static void arrived(const char* what, int areas, size_t bytes) {
  char wanted[2 * kCount * kMostBytes] = {0};
  fill(wanted, bytes, left);
  for (int i = 0; i < areas; ++i) CHECK(what, memcmp(area(i), wanted, sizeof wanted) == 0);
}

#define MOVE(A, B, T, CTX, ARGS, FIRST)                                                    \
  shmem_##CTX##A##put##B ARGS((T*)area(FIRST), (const T*)source, kCount, right);           \
  shmem_##CTX##A##put##B##_nbi ARGS((T*)area(FIRST + 1), (const T*)source, kCount, right); \
  shmem_##CTX##A##put##B ARGS(NULL, NULL, 0, right); /* Annex C: nothing, from nowhere */
#define FETCH(A, B, T, CTX, ARGS, AT)                                      \
  shmem_##CTX##A##get##B ARGS((T*)(AT), (const T*)area(0), kCount, right); \
  shmem_##CTX##A##get##B##_nbi ARGS((T*)((AT) + bytes), (const T*)area(1), kCount, right);

#define FAMILY(ID, A, B, T, BYTES)                                                                 \
  static void put_get_##ID(void) {                                                                 \
    const size_t bytes = kCount * BYTES;                                                           \
    char source[kCount * kMostBytes], back[4 * kCount * kMostBytes];                               \
    fill(source, sizeof source, me);                                                               \
    fresh();                                                                                       \
    MOVE(A, B, T, , NO_CTX, 0)                                                                     \
    MOVE(A, B, T, ctx_, IN_CTX, 2)                                                                 \
    complete();                                                                                    \
    arrived("§9.6: put, put_nbi of " #ID, 4, bytes);                                               \
    FETCH(A, B, T, , NO_CTX, back)                                                                 \
    FETCH(A, B, T, ctx_, IN_CTX, back + 2 * bytes)                                                 \
    CHECK("§9.6: get of " #ID " is there on return",                                               \
          memcmp(back, source, bytes) == 0 && memcmp(back + 2 * bytes, source, bytes) == 0);       \
    shmem_quiet();                                                                                 \
    shmem_ctx_quiet(context);                                                                      \
    CHECK(                                                                                         \
        "§9.6: get_nbi of " #ID " is there after quiet",                                           \
        memcmp(back + bytes, source, bytes) == 0 && memcmp(back + 3 * bytes, source, bytes) == 0); \
  }
#define FAMILY_OF_TYPE(NAME, TYPE, ...) FAMILY(NAME, NAME##_, , TYPE, sizeof(TYPE))
#define FAMILY_OF_SIZE(BITS, BYTES, ...) FAMILY(BITS, , BITS, void, BYTES)
SHMEMX_RMA_TYPES(FAMILY_OF_TYPE, )
SHMEMX_SIZES(FAMILY_OF_SIZE, )
FAMILY(mem, , mem, void, 1)

/* Sizes around the limits at which copies and messages change their ways. */
static void large(void) {
  const size_t sizes[] = {1, 63, 64, 65, 4095, 4096, 4097, 65536, 1 << 20};
  char* there = shmem_malloc(1 << 20);
  static char source[1 << 20], back[1 << 20];
  fill(source, sizeof source, me);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    shmem_putmem(there, source, sizes[i], right);
    shmem_quiet();
    memset(back, 0, sizes[i]);
    shmem_getmem(back, there, sizes[i], right);
    CHECK("§9.6: any size", memcmp(back, source, sizes[i]) == 0);
  }
  shmem_barrier_all();
  shmem_free(there);
}

#define CALL(NAME, ...) put_get_##NAME();
void chapter_put_get(void) {
  SHMEMX_RMA_TYPES(CALL, )
  SHMEMX_SIZES(CALL, )
  CALL(mem)
  large();
}

/* All types of p and g in one round: each has its own 16 bytes. */
#define OWN_TYPE(NAME, ...) kOwn_##NAME,
enum { SHMEMX_RMA_TYPES(OWN_TYPE, ) kOwns };
#define OWN(NAME, TYPE, FORM) ((TYPE*)(block + (2 * kOwn_##NAME + FORM) * kMostBytes))
#define P(NAME, TYPE, ...)                                     \
  shmem_##NAME##_p(OWN(NAME, TYPE, 0), (TYPE)(me + 1), right); \
  shmem_ctx_##NAME##_p(context, OWN(NAME, TYPE, 1), (TYPE)(me + 2), right);
#define G(NAME, TYPE, ...)                                                                   \
  CHECK("§9.6.1.2: p of " #NAME,                                                             \
        *OWN(NAME, TYPE, 0) == (TYPE)(left + 1) && *OWN(NAME, TYPE, 1) == (TYPE)(left + 2)); \
  CHECK("§9.6.1.6: g of " #NAME,                                                             \
        shmem_##NAME##_g(OWN(NAME, TYPE, 0), right) == (TYPE)(me + 1) &&                     \
            shmem_ctx_##NAME##_g(context, OWN(NAME, TYPE, 1), right) == (TYPE)(me + 2));
void chapter_scalars(void) {
  SHMEMX_RMA_TYPES(P, )
  complete();
  SHMEMX_RMA_TYPES(G, )
}
