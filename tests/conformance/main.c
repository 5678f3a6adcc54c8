/* The conformance program: all chapters, or those named as arguments. With all of them it also
 * counts: every row of the table (canopy/shmem_routines.h), which is a routine with one type or
 * size, must have been called. Any PE that fails makes the job fail; only PE 0 prints OK. */
#include "conformance.h"

#include <stdlib.h>

int me, n, right, left;
char* block;
uint64_t* signals;
shmem_ctx_t context;

static int checks, failures;

void check(const char* file, int line, const char* what, int holds) {
  ++checks;
  if (!holds && ++failures <= 20) {
    fprintf(stderr, "PE %d of %d: %s:%d: %s\n", me, n, file, line, what);
  }
}

void fresh(void) {
  shmem_barrier_all();
  memset(block, 0, kBlockBytes);
  memset(signals, 0, kSignals * sizeof *signals);
  shmem_barrier_all();
}

void complete(void) {
  shmem_ctx_quiet(context);
  shmem_barrier_all();
}

static const struct {
  const char* name;
  void (*run)(void);
} chapters[] = {
    {"setup", chapter_setup},
    {"threads", chapter_threads},
    {"memory", chapter_memory},
    {"contexts", chapter_contexts},
    {"put_get", chapter_put_get},
    {"scalars", chapter_scalars},
    {"strided", chapter_strided},
    {"atomics", chapter_atomics},
    {"atomics_nbi", chapter_atomics_nbi},
    {"signals", chapter_signals},
    {"waits", chapter_waits},
    {"wait_sets", chapter_wait_sets},
    {"teams", chapter_teams},
    {"collectives", chapter_collectives},
    {"order", chapter_order},
    {"locks", chapter_locks},
    {"deprecated", chapter_deprecated},
    {"generics", chapter_generics},
    {"overloads", chapter_overloads},
};

static int wanted(int argc, char** argv, const char* name) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], name) == 0) return 1;
  }
  return argc == 1;
}

static void begin(void) {
  me = shmem_my_pe();
  n = shmem_n_pes();
  right = (me + 1) % n;
  left = (me + n - 1) % n;
  block = shmem_align(64, kBlockBytes);
  signals = shmem_calloc(kSignals, sizeof *signals);
  CHECK("a context", shmem_ctx_create(0, &context) == 0);
}

/* Adds up over all PEs, by atomics on PE 0. */
static long all_failures(void) {
  long* sum = shmem_calloc(1, sizeof *sum);
  shmem_long_atomic_add(sum, failures, 0);
  shmem_barrier_all();
  const long total = shmem_long_g(sum, 0);
  shmem_free(sum);
  return total;
}

int main(int argc, char** argv) {
  shmem_init();
  begin();
  for (size_t i = 0; i < sizeof chapters / sizeof *chapters; ++i) {
    if (wanted(argc, argv, chapters[i].name)) {
      fresh();
      chapters[i].run();
    }
  }
  shmem_barrier_all();
  shmem_ctx_destroy(context);
  shmem_free(signals);
  shmem_free(block);
  /* After everything else, because finalize is a routine too. */
  if (argc == 1 && never_called() != 0) ++failures;
  const long total = all_failures();
  if (me == 0 && total == 0) {
    printf("OK: %d PEs, %d checks on each, %d routines\n", n, checks, rows_in_table);
  }
  shmem_finalize();
  return total == 0 ? 0 : 1;
}
