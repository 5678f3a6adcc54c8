/* §9.3 Memory management. */
#include "conformance.h"

static int zero_everywhere(const char* at, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    if (at[i] != 0) return 0;
  }
  return 1;
}

static void of_nothing(void) {
  CHECK("§9.3.1: size 0 gives NULL", shmem_malloc(0) == NULL);
  CHECK("§9.3.2: size 0 gives NULL", shmem_malloc_with_hints(0, 0) == NULL);
  CHECK("§9.3.1: size 0 gives NULL", shmem_align(64, 0) == NULL);
  CHECK("§9.3.3: count or size 0 gives NULL",
        shmem_calloc(0, 8) == NULL && shmem_calloc(8, 0) == NULL);
  CHECK("Annex F: size 0 gives NULL", shmalloc(0) == NULL && shmemalign(64, 0) == NULL);
  shmem_free(NULL);
  shfree(NULL);
}

static void too_large(void) {
  CHECK("§9.3.1: NULL when there is no room", shmem_malloc(SIZE_MAX / 4) == NULL);
  CHECK("§9.3.3: count times size may not wrap", shmem_calloc(SIZE_MAX / 2, 8) == NULL);
  long* kept = shmem_malloc(sizeof *kept);
  *kept = 5;
  CHECK("§9.3.1: a realloc that fails leaves the block",
        shmem_realloc(kept, SIZE_MAX / 4) == NULL && *kept == 5);
  shmem_free(kept);
}

/* Another PE finds the block at the same offset. */
static void is_symmetric(long* at) {
  *at = me;
  shmem_barrier_all();
  CHECK("§3: the same object on every PE", shmem_long_g(at, right) == right);
  shmem_barrier_all();
}

static void lives(void) {
  long* made = shmem_malloc(100 * sizeof *made);
  is_symmetric(made);
  for (int i = 0; i < 100; ++i) made[i] = me + i;
  long* grown = shmem_realloc(made, 10000 * sizeof *grown);
  int kept = grown != NULL;
  for (int i = 0; kept && i < 100; ++i) kept = grown[i] == me + i;
  CHECK("§9.3.1: realloc keeps the contents", kept);
  is_symmetric(grown);
  CHECK("§9.3.1: realloc to 0 frees", shmem_realloc(grown, 0) == NULL);
  long* fresh_one = shmem_realloc(NULL, 8);
  is_symmetric(fresh_one);
  shmem_free(fresh_one);

  char* cleared = shmem_calloc(100, 7);
  CHECK("§9.3.3: calloc clears", zero_everywhere(cleared, 700));
  shmem_free(cleared);
  for (size_t alignment = sizeof(void*); alignment <= 1 << 16; alignment *= 2) {
    long* aligned = shmem_align(alignment, 24);
    CHECK("§9.3.1: aligned", aligned != NULL && (uintptr_t)aligned % alignment == 0);
    is_symmetric(aligned);
    shmem_free(aligned);
  }
  long* hinted =
      shmem_malloc_with_hints(8, SHMEM_MALLOC_ATOMICS_REMOTE | SHMEM_MALLOC_SIGNAL_REMOTE);
  is_symmetric(hinted);
  shmem_free(hinted);
}

static void under_old_names(void) {
  long* made = shmalloc(64);
  is_symmetric(made);
  *made = 77;
  made = shrealloc(made, 6400);
  CHECK("Annex F: shrealloc keeps the contents", *made == 77);
  shfree(made);
  long* aligned = shmemalign(4096, 64);
  CHECK("Annex F: shmemalign", (uintptr_t)aligned % 4096 == 0);
  is_symmetric(aligned);
  shfree(aligned);
}

void chapter_memory(void) {
  of_nothing();
  too_large();
  lives();
  under_old_names();
}
