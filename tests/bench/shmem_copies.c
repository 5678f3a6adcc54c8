/* Puts and gets of every size in plain OpenSHMEM 1.4. One source: built with Canopy and with the peer's oshcc.
 *
 * Usage: shmem_copies NAME..., NAME being put_rate8_Mps or {put,get}{1k_ns,64k_GBps,1m_GBps,16m_GBps,64m_GBps}. PE 0
 * measures and prints, PE 1 is the target; both check what arrived. Each put is followed by a quiet, but for the rate,
 * where 1,000 puts of 8 bytes to as many places are. A figure is the median over batches of the mean of a batch. */
#include <shmem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

enum { kMostBatches = 400, kRatePuts = 1000 };

typedef struct {
  const char* suffix;
  size_t bytes;
  int calls; /* in a batch */
  size_t batches;
  int is_rate; /* GB/s, else ns per call */
} Size;

static const Size sizes[] = {{"1k_ns", 1 << 10, 1000, 400, 0},    {"64k_GBps", 1 << 16, 100, 200, 1},
                             {"1m_GBps", 1 << 20, 8, 60, 1},      {"16m_GBps", 1 << 24, 1, 20, 1},
                             {"64m_GBps", 1 << 26, 1, 12, 1}};

static double ns_per_tick;
static double samples[kMostBatches];
static int me;
static size_t most_bytes;
static unsigned char* region; /* symmetric */
static unsigned char* local;

static void fail(const char* name, const char* what) {
  fprintf(stderr, "shmem_copies: pe %d: %s: %s\n", me, name, what);
  shmem_global_exit(1);
}

static double elapsed_ns(uint64_t start) { return (double)(bench_ticks() - start) * ns_per_tick; }

static void fill(unsigned char* bytes, size_t n, uint64_t seed) {
  for (size_t i = 0; i + sizeof seed <= n; i += sizeof seed) {
    const uint64_t word = seed + i;
    memcpy(bytes + i, &word, sizeof word);
  }
}

static int is_filled(const unsigned char* bytes, size_t n, uint64_t seed) {
  for (size_t i = 0; i + sizeof seed <= n; i += sizeof seed) {
    uint64_t word;
    memcpy(&word, bytes + i, sizeof word);
    if (word != seed + i) return 0;
  }
  return 1;
}

/* A put changes its first word each time, so that the last one can be told from the one before. */
static void copy(const char* name, const Size* size, int is_put) {
  const size_t batches = bench_repeats(size->batches);
  fill(region, size->bytes, is_put ? 0 : 7);
  fill(local, size->bytes, is_put ? 7 : 0);
  shmem_barrier_all();
  uint64_t call = 0;
  for (size_t b = 0; me == 0 && b < batches + 1; ++b) { /* the first batch warms up */
    const uint64_t start = bench_ticks();
    for (int i = 0; i < size->calls; ++i) {
      if (is_put) {
        ++call;
        memcpy(local, &call, sizeof call);
        shmem_putmem(region, local, size->bytes, 1);
        shmem_quiet();
      } else {
        shmem_getmem(local, region, size->bytes, 1);
      }
    }
    const double ns = elapsed_ns(start);
    if (b > 0) samples[b - 1] = size->is_rate ? (double)size->bytes * size->calls / ns : ns / size->calls;
  }
  shmem_barrier_all();
  const uint64_t last = is_put ? (batches + 1) * (uint64_t)size->calls : 7;
  uint64_t first_word;
  unsigned char* came = is_put ? region : local;
  if (me == (is_put ? 1 : 0)) {
    memcpy(&first_word, came, sizeof first_word);
    if (first_word != last) fail(name, "the first word is not that of the last call");
    const uint64_t word = 7;
    memcpy(came, &word, sizeof word);
    if (!is_filled(came, size->bytes, 7)) fail(name, "what arrived is not what was sent");
  }
  if (me == 0) bench_report(name, samples, batches, size->is_rate);
}

static void put_rate8(const char* name) {
  const size_t batches = bench_repeats(400);
  uint64_t* words = (uint64_t*)region;
  memset(region, 0, kRatePuts * sizeof *words);
  shmem_barrier_all();
  for (size_t b = 0; me == 0 && b < batches + 1; ++b) {
    const uint64_t start = bench_ticks();
    for (uint64_t i = 0; i < kRatePuts; ++i) {
      const uint64_t value = b * kRatePuts + i;
      shmem_putmem(&words[i], &value, sizeof value, 1);
    }
    shmem_quiet();
    if (b > 0) samples[b - 1] = kRatePuts * 1e3 / elapsed_ns(start);
  }
  shmem_barrier_all();
  for (uint64_t i = 0; me == 1 && i < kRatePuts; ++i) {
    if (words[i] != batches * kRatePuts + i) fail(name, "a word is not that of the last put to it");
  }
  if (me == 0) bench_report(name, samples, batches, 1);
}

static const Size* size_of(const char* name) {
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    if (strcmp(name + 3, sizes[i].suffix) == 0) return &sizes[i];
  }
  fail(name, "there is no such benchmark");
  return NULL;
}

static int is_copy(const char* name) { return strncmp(name, "put", 3) == 0 || strncmp(name, "get", 3) == 0; }

int main(int argc, char** argv) {
  shmem_init();
  me = shmem_my_pe();
  if (shmem_n_pes() != 2) fail("start", "2 PEs are needed");
  ns_per_tick = bench_ns_per_tick();
  most_bytes = kRatePuts * sizeof(uint64_t);
  for (int i = 1; i < argc; ++i) {
    if (!is_copy(argv[i])) fail(argv[i], "there is no such benchmark");
    const size_t bytes = strcmp(argv[i], "put_rate8_Mps") == 0 ? 0 : size_of(argv[i])->bytes;
    if (bytes > most_bytes) most_bytes = bytes;
  }
  region = shmem_malloc(most_bytes);
  local = malloc(most_bytes);
  if (region == NULL || local == NULL) fail("start", "too little memory");
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "put_rate8_Mps") == 0) {
      put_rate8(argv[i]);
    } else {
      copy(argv[i], size_of(argv[i]), argv[i][0] == 'p');
    }
    shmem_barrier_all();
  }
  free(local);
  shmem_free(region);
  shmem_finalize();
  return 0;
}
