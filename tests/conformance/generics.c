/* §5: the generic names in C11. */
#include "conformance.h"

#include "generics.inc"

/* An array is its first element's address, a const pointer what it points to; a type that is
 * another's alias finds its routine. */
static void call_on_types(void) {
  int32_t array[2] = {me, me + 1};
  int32_t* const there = (int32_t*)block;
  shmem_put(there, array, 2, right);
  shmem_p((int64_t*)block + 2, 3, right);
  shmem_p((uint8_t*)block + 32, 4, right);
  complete();
  CHECK("§5: aliases", there[1] == left + 1 && ((int64_t*)block)[2] == 3 && block[32] == 4);
}

/* Annex F: the old generics. */
static void call_old(void) {
  long* word = (long*)block;
  shmem_set(word, 5L, right);
  CHECK("Annex F: generic", shmem_fetch((const long*)word, right) == 5 &&
                                shmem_swap(word, 6L, right) == 5 &&
                                shmem_cswap(word, 6L, 7L, right) == 6 &&
                                shmem_finc(word, right) == 7 && shmem_fadd(word, 2L, right) == 8);
  shmem_inc(word, right);
  shmem_add(word, 1L, right);
  CHECK("Annex F: generic", shmem_fetch(word, right) == 12);
  complete();
}

void chapter_generics(void) {
  call_all();
  fresh();
  call_on_types();
  fresh();
  call_old();
}
