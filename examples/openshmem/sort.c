/* Integer sort: every PE has random keys; afterwards PE i has the i-th part of them, in order.
 *
 *   oshcc -O2 sort.c -o sort && mpirun -n 4 ./sort
 *
 * A bucket sort. Each PE owns an equal part of the range. A key goes into a small batch for its owner; a full batch
 * reserves room in the owner's bucket by one fetch-add, and is put there. Nobody counts first, and no copy of all keys
 * is made. Then each owner sorts its bucket by counting. */
#include "example.h"

enum { kMostBatch = 1024 };

static Option options[] = {
    {"--keys", "keys of each PE", 1 << 18, 1, 1L << 28},
    {"--range", "keys are below this", 1 << 19, 1, 1L << 30},
    {"--batch", "keys that travel together", 64, 1, kMostBatch},
    {"--rounds", "how often", 5, 1, 1000},
};
static Program program = {.name = "sort",
                          .what = "sorts random integers over all PEs, and checks the order",
                          EXAMPLE_OPTIONS(options)};

static long n_keys, range, batch_keys;
static long width;  /* of the part of the range that a PE owns */
static long room;   /* of a bucket, in keys */
static uint32_t* keys;
static uint32_t* sorted;
static uint32_t* counts;  /* by key, for the own part */
static uint32_t* batches; /* by owner */
static long* in_batch;

/* Symmetric. */
static uint32_t* bucket;
static long* filled; /* keys in the bucket */

static void start_over(void) {
  *filled = 0;
  memset(in_batch, 0, (size_t)program.npes * sizeof *in_batch);
}

static void send_batch(int owner) {
  const long n = in_batch[owner];
  const long at = shmem_long_atomic_fetch_add(filled, n, owner);
  if (at + n > room) {
    fprintf(stderr, "sort: pe %d: the bucket of PE %d has room for %ld keys, %ld came: the keys are not random\n",
            program.me, owner, room, at + n);
    shmem_global_exit(1);
  }
  shmem_uint32_put(bucket + at, batches + owner * batch_keys, (size_t)n, owner);
  in_batch[owner] = 0;
}

static void hand_out(void) {
  for (long i = 0; i < n_keys; ++i) {
    const uint32_t key = keys[i];
    const int owner = (int)(key / (uint32_t)width);
    batches[owner * batch_keys + in_batch[owner]] = key;
    if (++in_batch[owner] == batch_keys) send_batch(owner);
  }
  for (int i = 0; i < program.npes; ++i) send_batch((program.me + i) % program.npes);
}

static void sort_bucket(void) {
  const uint32_t first = (uint32_t)(width * program.me);
  memset(counts, 0, (size_t)width * sizeof *counts);
  for (long i = 0; i < *filled; ++i) ++counts[bucket[i] - first];
  uint32_t* next = sorted;
  for (uint32_t key = 0; key < (uint32_t)width; ++key) {
    for (uint32_t n = counts[key]; n > 0; --n) *next++ = first + key;
  }
}

static void sort(void) {
  hand_out();
  shmem_barrier_all(); /* all keys are where they belong */
  sort_bucket();
}

/* How many keys are out of order or of another PE's part; and whether some were lost or changed on the way. */
static long wrong_keys(void) {
  long wrong = 0, sum_before = 0, sum_after = 0;
  for (long i = 0; i < *filled; ++i) {
    wrong += sorted[i] / width != program.me || (i > 0 && sorted[i - 1] > sorted[i]);
    sum_after += sorted[i];
  }
  for (long i = 0; i < n_keys; ++i) sum_before += keys[i];
  const long changed = sum_over_pes(&program, sum_before) != sum_over_pes(&program, sum_after);
  const long lost = labs(sum_over_pes(&program, *filled) - n_keys * program.npes);
  return wrong + (program.me == 0 ? changed + lost : 0);
}

int main(int argc, char** argv) {
  start_program(&program, argc, argv);
  n_keys = options[0].value, range = options[1].value, batch_keys = options[2].value;
  const int rounds = (int)options[3].value;
  const size_t npes = (size_t)program.npes;
  width = (range + program.npes - 1) / program.npes;
  /* A PE's share of random keys differs from the others' by little; with few keys, or few that differ, by much. */
  room = n_keys * program.npes < 1 << 16 || width < 256 ? n_keys * program.npes : n_keys + n_keys / 2;

  bucket = symmetric(&program, (size_t)room * sizeof *bucket);
  filled = symmetric(&program, sizeof *filled);
  keys = own_memory(&program, (size_t)n_keys * sizeof *keys);
  sorted = own_memory(&program, (size_t)room * sizeof *sorted);
  counts = own_memory(&program, (size_t)width * sizeof *counts);
  batches = own_memory(&program, npes * (size_t)batch_keys * sizeof *batches);
  in_batch = own_memory(&program, npes * sizeof *in_batch);
  uint64_t random = (uint64_t)program.me;
  for (long i = 0; i < n_keys; ++i) keys[i] = (uint32_t)next_below(&random, (uint64_t)range);

  double* times = run_rounds(&program, rounds, start_over, sort);
  return end_program(&program, times, rounds, (double)(n_keys * program.npes), "Mkeys/s", wrong_keys());
}
