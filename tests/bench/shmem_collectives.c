/* Collectives of all PEs in plain OpenSHMEM 1.4, which is what both sides know. One source: built with Canopy and
 * with the peer's oshcc.
 *
 * Usage: shmem_collectives NAME..., NAME being {fcollect,reduce,broadcast,alltoall}_{8,1k,64k,1m}_ns: bytes that each PE
 * gives (to each, in alltoall). All PEs check what came. A figure is the median over batches of the mean of a batch,
 * in ns, on PE 0. */
#include <shmem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

/* A call may use the sync array that an earlier one used when all PEs have left that: no PE is ahead by more than
 * one call, or, in a broadcast, by more than a round of roots. */
enum { kSyncs = 16, kMostPes = 8, kMostBatches = 200, kMegabyte = 1 << 20 };

static int me, npes;
static long* syncs[kSyncs];
static long *dest, *source, *work;

static void fail(const char* name, const char* what) {
  fprintf(stderr, "shmem_collectives: pe %d: %s: %s\n", me, name, what);
  shmem_global_exit(1);
}

static long value(int pe, size_t i) { return (long)(pe + 1) * 1000003 + (long)i; }

static void fcollect(size_t words, int call) {
  shmem_fcollect64(dest, source, words, 0, 0, npes, syncs[call % kSyncs]);
}
static int fcollect_is_wrong(size_t words, int call) {
  (void)call;
  int wrong = 0;
  for (int pe = 0; pe < npes; ++pe) {
    for (size_t i = 0; i < words; ++i) wrong |= dest[(size_t)pe * words + i] != value(pe, i);
  }
  return wrong;
}

static void reduce(size_t words, int call) {
  shmem_long_sum_to_all(dest, source, (int)words, 0, 0, npes, work, syncs[call % kSyncs]);
}
static int reduce_is_wrong(size_t words, int call) {
  (void)call;
  int wrong = 0;
  for (size_t i = 0; i < words; ++i) {
    long sum = 0;
    for (int pe = 0; pe < npes; ++pe) sum += value(pe, i);
    wrong |= dest[i] != sum;
  }
  return wrong;
}

static void broadcast(size_t words, int call) {
  shmem_broadcast64(dest, source, words, call % npes, 0, 0, npes, syncs[call % kSyncs]);
}
static int broadcast_is_wrong(size_t words, int call) {
  int wrong = 0;
  for (size_t i = 0; i < words && call % npes != me; ++i) wrong |= dest[i] != value(call % npes, i);
  return wrong;
}

static void alltoall(size_t words, int call) {
  shmem_alltoall64(dest, source, words, 0, 0, npes, syncs[call % kSyncs]);
}
static int alltoall_is_wrong(size_t words, int call) {
  (void)call;
  int wrong = 0;
  for (int pe = 0; pe < npes; ++pe) {
    for (size_t i = 0; i < words; ++i) wrong |= dest[(size_t)pe * words + i] != value(pe, (size_t)me * words + i);
  }
  return wrong;
}

static const struct {
  const char* name;
  void (*run)(size_t words, int call);
  int (*is_wrong)(size_t words, int call);
} collectives[] = {{"fcollect", fcollect, fcollect_is_wrong},
                   {"reduce", reduce, reduce_is_wrong},
                   {"broadcast", broadcast, broadcast_is_wrong},
                   {"alltoall", alltoall, alltoall_is_wrong}};

static const struct {
  const char* suffix;
  size_t bytes;
  int calls; /* in a batch */
} sizes[] = {{"_8", 8, 1000}, {"_1k", 1024, 500}, {"_64k", 65536, 50}, {"_1m", kMegabyte, 5}};

static void measure(const char* metric, int which, int size, double ns_per_tick) {
  static double samples[kMostBatches];
  const size_t words = sizes[size].bytes / sizeof(long);
  const size_t batches = bench_repeats(npes == 2 ? 60 : 30);
  const int calls = npes == 2 ? sizes[size].calls : sizes[size].calls / 5;
  int call = 0;
  for (size_t b = 0; b < batches + 1; ++b) { /* the first warms up */
    shmem_barrier_all();
    const uint64_t start = bench_ticks();
    for (int i = 0; i < calls; ++i) collectives[which].run(words, call++);
    if (b > 0) samples[b - 1] = (double)(bench_ticks() - start) * ns_per_tick / calls;
  }
  if (collectives[which].is_wrong(words, call - 1)) fail(metric, "the last result is wrong");
  shmem_barrier_all();
  if (me == 0) bench_report(metric, samples, batches, 0);
}

static void run(const char* wanted, double ns_per_tick) {
  for (int which = 0; which < (int)(sizeof collectives / sizeof *collectives); ++which) {
    for (int size = 0; size < (int)(sizeof sizes / sizeof *sizes); ++size) {
      char metric[64];
      snprintf(metric, sizeof metric, "%s%s_ns", collectives[which].name, sizes[size].suffix);
      if (strcmp(wanted, metric) == 0) {
        measure(metric, which, size, ns_per_tick);
        return;
      }
    }
  }
  fail(wanted, "there is no such benchmark");
}

static long* words_of(size_t bytes) {
  long* words = shmem_malloc(bytes);
  if (words == NULL) fail("start", "the symmetric heap is too small");
  return words;
}

int main(int argc, char** argv) {
  shmem_init();
  me = shmem_my_pe();
  npes = shmem_n_pes();
  if (npes > kMostPes) fail("start", "more than 8 PEs");
  for (int i = 0; i < kSyncs; ++i) {
    syncs[i] = words_of(SHMEM_REDUCE_SYNC_SIZE * 4 * sizeof(long) + SHMEM_COLLECT_SYNC_SIZE * sizeof(long) +
                        SHMEM_ALLTOALL_SYNC_SIZE * sizeof(long));
    const size_t length = SHMEM_REDUCE_SYNC_SIZE * 4 + SHMEM_COLLECT_SYNC_SIZE + SHMEM_ALLTOALL_SYNC_SIZE;
    for (size_t j = 0; j < length; ++j) syncs[i][j] = SHMEM_SYNC_VALUE;
  }
  const size_t most = (size_t)npes * kMegabyte;
  dest = words_of(most);
  source = words_of(most);
  work = words_of(kMegabyte + SHMEM_REDUCE_MIN_WRKDATA_SIZE * sizeof(long));
  for (size_t i = 0; i < most / sizeof(long); ++i) source[i] = value(me, i);
  memset(dest, 0, most);
  shmem_barrier_all();
  for (int i = 1; i < argc; ++i) run(argv[i], bench_ns_per_tick());
  shmem_barrier_all();
  shmem_finalize();
  return 0;
}
