/* Histogram: one table over all PEs, and every PE counts random entries of it by atomic additions.
 *
 *   oshcc -O2 histogram.c -o histogram && mpirun -n 4 ./histogram */
#include "example.h"

static Option options[] = {
    {"--entries", "entries of the table on each PE", 1 << 14, 1, 1L << 28},
    {"--updates", "additions of each PE", 1 << 18, 1, 1L << 32},
    {"--rounds", "how often", 5, 1, 1000},
};
static Program program = {.name = "histogram",
                          .what = "counts in a table over all PEs by random atomic additions, and checks every count",
                          EXAMPLE_OPTIONS(options)};

static long entries, updates;
static uint32_t* wanted; /* which entries this PE counts */
static long* counts;     /* symmetric: entry i lies on PE i % npes, at i / npes */

static void choose(int pe, uint32_t* chosen) {
  uint64_t random = (uint64_t)pe;
  const uint64_t all = (uint64_t)entries * (uint64_t)program.npes;
  for (long i = 0; i < updates; ++i) chosen[i] = (uint32_t)next_below(&random, all);
}

static void start_over(void) { memset(counts, 0, (size_t)entries * sizeof *counts); }

static void count(void) {
  const uint32_t npes = (uint32_t)program.npes;
  for (long i = 0; i < updates; ++i) shmem_long_atomic_add(&counts[wanted[i] / npes], 1, (int)(wanted[i] % npes));
}

/* Repeats what every PE chose, and takes off this PE's counts what belongs there: zeroes are left. */
static long wrong_counts(void) {
  const uint32_t npes = (uint32_t)program.npes;
  for (uint32_t pe = 0; pe < npes; ++pe) {
    choose((int)pe, wanted);
    for (long i = 0; i < updates; ++i) {
      if (wanted[i] % npes == (uint32_t)program.me) --counts[wanted[i] / npes];
    }
  }
  long wrong = 0;
  for (long i = 0; i < entries; ++i) wrong += counts[i] != 0;
  return wrong;
}

int main(int argc, char** argv) {
  start_program(&program, argc, argv);
  entries = options[0].value, updates = options[1].value;
  const int rounds = (int)options[2].value;
  if (entries > UINT32_MAX / program.npes) {
    if (program.me == 0) fprintf(stderr, "histogram: --entries: at most %u on all PEs together\n", UINT32_MAX);
    end_before_work(2);
  }
  counts = symmetric(&program, (size_t)entries * sizeof *counts);
  wanted = own_memory(&program, (size_t)updates * sizeof *wanted);
  choose(program.me, wanted);

  double* times = run_rounds(&program, rounds, start_over, count);
  return end_program(&program, times, rounds, (double)(updates * program.npes), "Mupdates/s", wrong_counts());
}
