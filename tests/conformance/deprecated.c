/* Annex F: names before 1.4. Setup and memory under their old names are in setup.c and memory.c. */
#include "conformance.h"

#define OWN_TYPE(NAME, ...) kOwn_##NAME,
enum { SHMEMX_RMA_TYPES(OWN_TYPE, ) kOwns };
#define OWN(NAME, TYPE) ((TYPE*)(block + kOwn_##NAME * 16))

#define EXTENDED(NAME, TYPE, ...)                                                              \
  shmem_##NAME##_set(OWN(NAME, TYPE), (TYPE)10, right);                                        \
  CHECK("Annex F: fetch of " #NAME, shmem_##NAME##_fetch(OWN(NAME, TYPE), right) == (TYPE)10); \
  CHECK("Annex F: swap of " #NAME,                                                             \
        shmem_##NAME##_swap(OWN(NAME, TYPE), (TYPE)20, right) == (TYPE)10);
#define STANDARD(NAME, TYPE, ...)                                                            \
  CHECK("Annex F: cswap of " #NAME,                                                          \
        shmem_##NAME##_cswap(OWN(NAME, TYPE), (TYPE)20, (TYPE)30, right) == (TYPE)20);       \
  CHECK("Annex F: finc of " #NAME, shmem_##NAME##_finc(OWN(NAME, TYPE), right) == (TYPE)30); \
  shmem_##NAME##_inc(OWN(NAME, TYPE), right);                                                \
  CHECK("Annex F: fadd of " #NAME,                                                           \
        shmem_##NAME##_fadd(OWN(NAME, TYPE), (TYPE)8, right) == (TYPE)32);                   \
  shmem_##NAME##_add(OWN(NAME, TYPE), (TYPE)2, right);                                       \
  CHECK("Annex F: inc and add of " #NAME, shmem_##NAME##_fetch(OWN(NAME, TYPE), right) == (TYPE)42);
#define WAIT(NAME, TYPE, ...)                            \
  shmem_##NAME##_p(OWN(NAME, TYPE) + 1, (TYPE)3, right); \
  shmem_##NAME##_wait(OWN(NAME, TYPE) + 1, (TYPE)0);     \
  CHECK("Annex F: wait of " #NAME, OWN(NAME, TYPE)[1] == (TYPE)3);

void chapter_deprecated(void) {
  SHMEMX_AMO_FLOAT_TYPES(EXTENDED, )
  SHMEMX_OLD_AMO_TYPES(EXTENDED, )
  SHMEMX_OLD_AMO_TYPES(STANDARD, )
  complete();
  fresh();
  SHMEMX_OLD_WAIT_TYPES(WAIT, )
  long* word = OWN(size, long);
  shmem_long_atomic_set(word, 4, right);
  shmem_wait(word, 0);
  (shmem_wait_until)(word, _SHMEM_CMP_EQ, 4); /* the function, not the generic */
  CHECK("Annex F: wait", *word == 4);
  CHECK("§6: comparisons before 1.3",
        _SHMEM_CMP_EQ == SHMEM_CMP_EQ && _SHMEM_CMP_NE == SHMEM_CMP_NE &&
            _SHMEM_CMP_LT == SHMEM_CMP_LT && _SHMEM_CMP_LE == SHMEM_CMP_LE &&
            _SHMEM_CMP_GT == SHMEM_CMP_GT && _SHMEM_CMP_GE == SHMEM_CMP_GE);
  complete();
}
