/* What a job costs as it grows: init, barrier, a reduction of 8 bytes, and the memory of a PE that has touched none of
 * its heap. PE 0 prints one line:
 *
 *   SCALE pes init_ms barrier_us reduce_us pss_KiB own_KiB
 *
 * init_ms is the slowest PE's. pss_KiB is the mean over the PEs of the proportional share of all memory (smaps_rollup),
 * after all PEs have met once and reduced once; own_KiB that without files, whose share depends on who else maps them. */
#include <shmem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

enum { kBatches = 21 };

static int me, npes;

static void fail(const char* what) {
  fprintf(stderr, "shmem_scale: pe %d: %s\n", me, what);
  shmem_global_exit(1);
}

/* The sums of the lines that begin with these names. */
static double kib_of(const char* const* names, int n) {
  FILE* file = fopen("/proc/self/smaps_rollup", "r");
  if (file == NULL) fail("cannot read /proc/self/smaps_rollup");
  char line[256];
  double sum = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    for (int i = 0; i < n; ++i) {
      const size_t length = strlen(names[i]);
      if (strncmp(line, names[i], length) == 0) sum += strtod(line + length, NULL);
    }
  }
  fclose(file);
  return sum;
}

static void barrier(void) { shmem_barrier_all(); }
static long *dest, *source;
static void reduce(void) {
  if (shmem_long_sum_reduce(SHMEM_TEAM_WORLD, dest, source, 1) != 0) fail("the reduction failed");
}

/* Median over batches of the mean of a batch, in us, on each PE. */
static double cost_us(void (*call)(void)) {
  double samples[kBatches];
  const int calls = (int)bench_repeats(npes <= 8 ? 200 : 40);
  for (int b = 0; b < kBatches; ++b) {
    shmem_barrier_all();
    const uint64_t start = bench_monotonic_ns();
    for (int i = 0; i < calls; ++i) call();
    samples[b] = (double)(bench_monotonic_ns() - start) / 1e3 / calls;
  }
  qsort(samples, kBatches, sizeof *samples, bench_compare);
  return samples[kBatches / 2];
}

int main(void) {
  static const char* const kAll[] = {"Pss:"};
  static const char* const kOwn[] = {"Pss_Anon:", "Pss_Shmem:"};
  const uint64_t start = bench_monotonic_ns();
  shmem_init();
  const double init_ms = (double)(bench_monotonic_ns() - start) / 1e6;
  me = shmem_my_pe();
  npes = shmem_n_pes();
  source = shmem_malloc(sizeof *source);
  dest = shmem_malloc(sizeof *dest);
  double* mine = shmem_malloc(3 * sizeof *mine);
  double* most = shmem_malloc(sizeof *most);
  double* sums = shmem_malloc(2 * sizeof *sums);
  if (source == NULL || dest == NULL || mine == NULL || most == NULL || sums == NULL) fail("the heap is too small");
  *source = me + 1;
  shmem_barrier_all();
  reduce();
  if (*dest != (long)npes * (npes + 1) / 2) fail("the sum is wrong");
  shmem_barrier_all();
  mine[0] = init_ms, mine[1] = kib_of(kAll, 1), mine[2] = kib_of(kOwn, 2);
  shmem_barrier_all(); /* everybody has looked */
  shmem_double_max_reduce(SHMEM_TEAM_WORLD, most, mine, 1);
  shmem_double_sum_reduce(SHMEM_TEAM_WORLD, sums, mine + 1, 2);
  const double barrier_us = cost_us(barrier), reduce_us = cost_us(reduce);
  if (me == 0) {
    printf("SCALE %d %.1f %.2f %.2f %.0f %.0f\n", npes, most[0], barrier_us, reduce_us, sums[0] / npes, sums[1] / npes);
  }
  shmem_finalize();
  return 0;
}
