/* Calls before init and after finalize; the heap's report. */
#include "negative.h"

#define BEFORE_INIT(NAME, ...)         \
  static void NAME(int wrong) {        \
    long word[2] = {0};                \
    if (!wrong) shmem_init();          \
    if (wrong) {                       \
      __VA_ARGS__;                     \
    }                                  \
    (void)word;                        \
  }
BEFORE_INIT(put_before_init, shmem_long_p(word, 1, 0))
BEFORE_INIT(context_before_init, shmem_ctx_long_atomic_add(SHMEM_CTX_DEFAULT, word, 1, 0))
BEFORE_INIT(malloc_before_init, shmem_malloc(8))
BEFORE_INIT(barrier_before_init, shmem_barrier_all())
BEFORE_INIT(collective_before_init, shmem_long_sum_reduce(SHMEM_TEAM_WORLD, word, word + 1, 1))
BEFORE_INIT(wait_before_init, shmem_long_wait_until(word, SHMEM_CMP_NE, 0))
BEFORE_INIT(lock_before_init, shmem_set_lock(word))

static void get_after_finalize(int wrong) {
  long* word = shmem_calloc(1, sizeof *word);
  if (wrong) shmem_finalize();
  shmem_long_g(word, 0);
}

/* Not a mistake: what is live at finalize is listed where CANOPY_HEAP_REPORT asks. */
static void* volatile newest;
__attribute__((noinline)) static void allocate(size_t bytes) { newest = shmem_malloc(bytes); } /* one place */
static void heap_report(int wrong) {
  (void)wrong;
  shmemx_heap_info_t before, after;
  shmemx_heap_info(&before);
  for (int i = 0; i < 3; ++i) allocate(1000);
  shmem_calloc(1, 77);
  void* gone = shmem_malloc(5000);
  shmem_free(gone);
  shmemx_heap_info(&after);
  if (before.live_blocks != 0 || after.live_blocks != 4 || after.bytes != before.bytes ||
      before.free_bytes - after.free_bytes < 3077 || after.largest_free > after.free_bytes || after.device_bytes != 0) {
    shmem_global_exit(45);
  }
  void* rest = shmem_malloc(after.largest_free); /* so much one block can have */
  if (rest == NULL) shmem_global_exit(46);
  shmem_free(rest);
}

const struct negative setup_cases[] = {{"put_before_init", put_before_init, 1},
                                       {"context_before_init", context_before_init, 1},
                                       {"malloc_before_init", malloc_before_init, 1},
                                       {"barrier_before_init", barrier_before_init, 1},
                                       {"collective_before_init", collective_before_init, 1},
                                       {"wait_before_init", wait_before_init, 1},
                                       {"lock_before_init", lock_before_init, 1},
                                       {"get_after_finalize", get_after_finalize, 0},
                                       {"heap_report", heap_report, 0},
                                       {NULL, NULL, 0}};
