/* Index gather: one table over all PEs, and every PE reads random entries of it, one by one.
 *
 *   oshcc -O2 index_gather.c -o index_gather && mpirun -n 4 ./index_gather */
#include "example.h"

static Option options[] = {
    {"--entries", "entries of the table on each PE", 1 << 16, 1, 1L << 28},
    {"--reads", "entries that each PE reads", 1 << 18, 1, 1L << 32},
    {"--rounds", "how often", 5, 1, 1000},
};
static Program program = {.name = "index_gather",
                          .what = "reads random entries of a table over all PEs, and checks each",
                          EXAMPLE_OPTIONS(options)};

static long entries, reads;
static uint32_t* wanted; /* which entries */
static long* found;
static long* table; /* symmetric: entry i lies on PE i % npes, at i / npes */

static long value_of(uint32_t entry) { return 3 * (long)entry + 1; }

static void start_over(void) { memset(found, 0, (size_t)reads * sizeof *found); }

static void gather(void) {
  const uint32_t npes = (uint32_t)program.npes;
  for (long i = 0; i < reads; ++i) found[i] = shmem_long_g(&table[wanted[i] / npes], (int)(wanted[i] % npes));
}

static long wrong_values(void) {
  long wrong = 0;
  for (long i = 0; i < reads; ++i) wrong += found[i] != value_of(wanted[i]);
  return wrong;
}

int main(int argc, char** argv) {
  start_program(&program, argc, argv);
  entries = options[0].value, reads = options[1].value;
  const int rounds = (int)options[2].value;
  if (entries > UINT32_MAX / program.npes) {
    if (program.me == 0) fprintf(stderr, "index_gather: --entries: at most %u on all PEs together\n", UINT32_MAX);
    end_before_work(2);
  }
  const uint32_t npes = (uint32_t)program.npes;
  table = symmetric(&program, (size_t)entries * sizeof *table);
  for (long i = 0; i < entries; ++i) table[i] = value_of((uint32_t)i * npes + (uint32_t)program.me);
  wanted = own_memory(&program, (size_t)reads * sizeof *wanted);
  found = own_memory(&program, (size_t)reads * sizeof *found);
  uint64_t random = (uint64_t)program.me;
  for (long i = 0; i < reads; ++i) wanted[i] = (uint32_t)next_below(&random, (uint64_t)entries * npes);

  double* times = run_rounds(&program, rounds, start_over, gather);
  return end_program(&program, times, rounds, (double)(reads * program.npes), "Mreads/s", wrong_values());
}
