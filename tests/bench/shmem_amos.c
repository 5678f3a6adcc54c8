/* Atomic operations on another PE's word in plain OpenSHMEM 1.4. One source: built with Canopy and with the peer's oshcc.
 *
 * Usage: shmem_amos NAME..., NAME being amo_X_ns with X one of the table below. PE 0 measures and prints, PE 1 has the
 * word; both check. Nobody else touches the word. A figure is the median over batches of the mean of a batch. */
#include <shmem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

enum { kMostBatches = 400, kCalls = 1000 };

static int me;
static unsigned long* word; /* symmetric */
static double samples[kMostBatches];
static unsigned long wrong; /* old values that were not right */

static void fail(const char* name, const char* what, unsigned long value) {
  fprintf(stderr, "shmem_amos: pe %d: %s: %s: %lu\n", me, name, what, value);
  shmem_global_exit(1);
}

/* What call i does, and the word's value after i calls, from 0 on. Two bits change, so that each operation is seen. */
static unsigned long bits(unsigned long i) { return i % 2 == 0 ? 0x0ful : 0x3cul; }

static void add(unsigned long i) { (void)i; shmem_ulong_atomic_add(word, 1, 1); }
static void fadd(unsigned long i) { wrong |= shmem_ulong_atomic_fetch_add(word, 1, 1) ^ i; }
static void inc(unsigned long i) { (void)i; shmem_ulong_atomic_inc(word, 1); }
static void cas(unsigned long i) { wrong |= shmem_ulong_atomic_compare_swap(word, i, i + 1, 1) ^ i; }
static void swap(unsigned long i) { wrong |= shmem_ulong_atomic_swap(word, i + 1, 1) ^ i; }
static void set(unsigned long i) { shmem_ulong_atomic_set(word, i + 1, 1); }
static void fetch(unsigned long i) { (void)i; wrong |= shmem_ulong_atomic_fetch(word, 1); }
static unsigned long counted(unsigned long i) { return i; }
static unsigned long untouched(unsigned long i) { (void)i; return 0; }

static void or_bits(unsigned long i) { shmem_ulong_atomic_or(word, bits(i), 1); }
static unsigned long after_or(unsigned long i) { return i == 0 ? 0 : i == 1 ? 0x0f : 0x3f; }
static void fetch_or(unsigned long i) { wrong |= shmem_ulong_atomic_fetch_or(word, bits(i), 1) ^ after_or(i); }

static void xor_bits(unsigned long i) { shmem_ulong_atomic_xor(word, bits(i), 1); }
static unsigned long after_xor(unsigned long i) {
  static const unsigned long kValues[] = {0, 0x0f, 0x33, 0x3c};
  return kValues[i % 4];
}
static void fetch_xor(unsigned long i) { wrong |= shmem_ulong_atomic_fetch_xor(word, bits(i), 1) ^ after_xor(i); }

/* From 0 on an `and` changes nothing: it starts from all ones. */
static void and_bits(unsigned long i) { shmem_ulong_atomic_and(word, bits(i), 1); }
static unsigned long after_and(unsigned long i) { return i == 0 ? ~0ul : i == 1 ? 0x0f : 0x0c; }
static void fetch_and(unsigned long i) { wrong |= shmem_ulong_atomic_fetch_and(word, bits(i), 1) ^ after_and(i); }

static const struct {
  const char* name;
  void (*call)(unsigned long i);
  unsigned long (*after)(unsigned long i);
} amos[] = {{"amo_add_ns", add, counted},          {"amo_fadd_ns", fadd, counted},
            {"amo_inc_ns", inc, counted},          {"amo_cas_ns", cas, counted},
            {"amo_swap_ns", swap, counted},        {"amo_set_ns", set, counted},
            {"amo_fetch_ns", fetch, untouched},    {"amo_or_ns", or_bits, after_or},
            {"amo_and_ns", and_bits, after_and},   {"amo_xor_ns", xor_bits, after_xor},
            {"amo_fetch_or_ns", fetch_or, after_or}, {"amo_fetch_and_ns", fetch_and, after_and},
            {"amo_fetch_xor_ns", fetch_xor, after_xor}};

static void run(const char* name, double ns_per_tick) {
  size_t which = 0;
  while (which < sizeof amos / sizeof *amos && strcmp(name, amos[which].name) != 0) ++which;
  if (which == sizeof amos / sizeof *amos) fail(name, "there is no such benchmark; arguments", 0);
  const size_t batches = bench_repeats(kMostBatches);
  *word = amos[which].after(0);
  wrong = 0;
  shmem_barrier_all();
  unsigned long i = 0;
  for (size_t b = 0; me == 0 && b < batches; ++b) {
    const uint64_t start = bench_ticks();
    for (int n = 0; n < kCalls; ++n) amos[which].call(i++);
    samples[b] = (double)(bench_ticks() - start) * ns_per_tick / kCalls;
  }
  shmem_barrier_all();
  if (wrong != 0) fail(name, "a call returned a wrong old value; its wrong bits", wrong);
  if (me == 1 && *word != amos[which].after(batches * kCalls)) fail(name, "the word ended as", *word);
  if (me == 0) bench_report(name, samples, batches, 0);
  shmem_barrier_all();
}

int main(int argc, char** argv) {
  shmem_init();
  me = shmem_my_pe();
  if (shmem_n_pes() != 2) fail("start", "2 PEs are needed; there are", (unsigned long)shmem_n_pes());
  word = shmem_malloc(sizeof *word);
  if (word == NULL) fail("start", "the symmetric heap is too small for bytes", sizeof *word);
  const double ns_per_tick = bench_ns_per_tick();
  for (int i = 1; i < argc; ++i) run(argv[i], ns_per_tick);
  shmem_free(word);
  shmem_finalize();
  return 0;
}
