/* Point-to-point and barrier costs in plain OpenSHMEM 1.4. One source: built with Canopy and with
 * the peer's oshcc, so that both sides do the same.
 *
 * Usage: shmem_bench NAME..., the names below. PE 0 measures and prints; PE 1 is the target, and
 * checks what arrived. A figure is the median over batches of the mean of a batch. */
#include <shmem.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

enum { kMostBatches = 400, kMegabyte = 1 << 20 };

static double ns_per_tick;
static double samples[kMostBatches];
static int me;
static int npes;

/* Symmetric. */
static long* slot;
static unsigned char* region;
static int* ring;

static void fail(const char* format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "shmem_bench: pe %d: ", me);
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
  va_end(args);
  shmem_global_exit(1);
}

static double elapsed_ns(uint64_t start) { return (double)(bench_ticks() - start) * ns_per_tick; }

/* Everybody starts a benchmark with a zero slot. */
static void start_over(void) {
  shmem_barrier_all();
  *slot = 0;
  shmem_barrier_all();
}

static void put8(void) {
  enum { kOps = 1000 };
  const size_t batches = bench_repeats(400);
  start_over();
  if (me == 0) {
    long value = 0;
    for (size_t b = 0; b < batches; ++b) {
      const uint64_t start = bench_ticks();
      for (int i = 0; i < kOps; ++i) {
        ++value;
        shmem_long_put(slot, &value, 1, 1);
        shmem_quiet();
      }
      samples[b] = elapsed_ns(start) / kOps;
    }
  }
  shmem_barrier_all();
  if (me == 1 && *slot != (long)(batches * kOps)) {
    fail("put8_ns: the last value is %ld, not %ld", *slot, (long)(batches * kOps));
  }
  if (me == 0) {
    bench_report("put8_ns", samples, batches, 0);
  }
}

static void get8(void) {
  enum { kOps = 1000 };
  const size_t batches = bench_repeats(400);
  start_over();
  if (me == 1) {
    *slot = 4711;
  }
  shmem_barrier_all();
  if (me == 0) {
    long sum = 0;
    for (size_t b = 0; b < batches; ++b) {
      const uint64_t start = bench_ticks();
      for (int i = 0; i < kOps; ++i) {
        long value = 0;
        shmem_long_get(&value, slot, 1, 1);
        shmem_quiet();
        sum += value;
      }
      samples[b] = elapsed_ns(start) / kOps;
    }
    if (sum != 4711L * (long)batches * kOps) {
      fail("get8_ns: the values got add up to %ld, not %ld", sum, 4711L * (long)batches * kOps);
    }
    bench_report("get8_ns", samples, batches, 0);
  }
  shmem_barrier_all();
}

static void put1m(void) {
  enum { kOps = 8 };
  const size_t batches = bench_repeats(60);
  unsigned char* src = malloc(kMegabyte);
  if (src == NULL) {
    fail("put1m_GBps: no memory for the source");
  }
  memset(src, 1, kMegabyte);
  start_over();
  uint32_t round = 0;
  for (size_t b = 0; me == 0 && b < batches + 1; ++b) { /* the first batch warms up */
    const uint64_t start = bench_ticks();
    for (int i = 0; i < kOps; ++i) {
      ++round;
      memcpy(src + kMegabyte - sizeof round, &round, sizeof round);
      shmem_putmem(region, src, kMegabyte, 1);
      shmem_quiet();
    }
    if (b > 0) {
      samples[b - 1] = (double)kOps * kMegabyte / elapsed_ns(start);
    }
  }
  shmem_barrier_all();
  if (me == 1) {
    const uint32_t last = (uint32_t)((batches + 1) * kOps);
    memcpy(src + kMegabyte - sizeof last, &last, sizeof last);
    if (memcmp(src, region, kMegabyte) != 0) {
      fail("put1m_GBps: the region differs from the last put");
    }
  }
  free(src);
  if (me == 0) {
    bench_report("put1m_GBps", samples, batches, 1);
  }
}

static void amo_fadd(void) {
  enum { kOps = 1000 };
  const size_t batches = bench_repeats(400);
  start_over();
  if (me == 0) {
    long next = 0;
    for (size_t b = 0; b < batches; ++b) {
      const uint64_t start = bench_ticks();
      for (int i = 0; i < kOps; ++i) {
        if (shmem_long_atomic_fetch_add(slot, 1, 1) != next) {
          fail("amo_fadd_ns: a fetch did not return %ld", next);
        }
        ++next;
      }
      samples[b] = elapsed_ns(start) / kOps;
    }
  }
  shmem_barrier_all();
  if (me == 1 && *slot != (long)(batches * kOps)) {
    fail("amo_fadd_ns: the sum is %ld, not %ld", *slot, (long)(batches * kOps));
  }
  if (me == 0) {
    bench_report("amo_fadd_ns", samples, batches, 0);
  }
}

/* The effect of a barrier: what the left neighbour put before it is there after it. */
static void check_barrier(const char* name) {
  const int rounds = (int)bench_repeats(100);
  for (int round = 1; round <= rounds; ++round) {
    int mine = round * npes + me;
    shmem_int_put(ring, &mine, 1, (me + 1) % npes);
    shmem_barrier_all();
    const int left = (me + npes - 1) % npes;
    if (*ring != round * npes + left) {
      fail("%s: round %d: found %d, pe %d had put %d", name, round, *ring, left,
           round * npes + left);
    }
    shmem_barrier_all();
  }
}

static void barrier(const char* name, int wanted, double unit_ns) {
  if (npes != wanted) {
    fail("%s needs %d PEs, there are %d", name, wanted, npes);
  }
  const int ops = npes == 2 ? 1000 : (int)bench_repeats(100);
  const size_t batches = bench_repeats(npes == 2 ? 200 : 100);
  check_barrier(name);
  for (size_t b = 0; b < batches; ++b) {
    const uint64_t start = bench_ticks();
    for (int i = 0; i < ops; ++i) {
      shmem_barrier_all();
    }
    samples[b] = elapsed_ns(start) / ops / unit_ns;
  }
  check_barrier(name);
  if (me == 0) {
    bench_report(name, samples, batches, 0);
  }
}

static void run(const char* name) {
  if (strcmp(name, "put8_ns") == 0) {
    put8();
  } else if (strcmp(name, "get8_ns") == 0) {
    get8();
  } else if (strcmp(name, "put1m_GBps") == 0) {
    put1m();
  } else if (strcmp(name, "amo_fadd_ns") == 0) {
    amo_fadd();
  } else if (strcmp(name, "barrier2_ns") == 0) {
    barrier(name, 2, 1);
  } else if (strcmp(name, "barrier4_ns") == 0) {
    barrier(name, 4, 1);
  } else if (strcmp(name, "barrier8_ns") == 0) {
    barrier(name, 8, 1);
  } else if (strcmp(name, "ofi_barrier_us") == 0) {
    barrier(name, 4, 1000);
  } else {
    fail("no benchmark is called %s", name);
  }
}

int main(int argc, char** argv) {
  shmem_init();
  me = shmem_my_pe();
  npes = shmem_n_pes();
  if (npes < 2) {
    fail("at least 2 PEs are needed");
  }
  ns_per_tick = bench_ns_per_tick();
  slot = shmem_malloc(sizeof *slot);
  ring = shmem_malloc(sizeof *ring);
  region = shmem_malloc(kMegabyte);
  if (slot == NULL || ring == NULL || region == NULL) {
    fail("the symmetric heap is too small");
  }
  memset(region, 0, kMegabyte);
  for (int i = 1; i < argc; ++i) {
    run(argv[i]);
  }
  shmem_barrier_all();
  shmem_free(region);
  shmem_free(ring);
  shmem_free(slot);
  shmem_finalize();
  return 0;
}
