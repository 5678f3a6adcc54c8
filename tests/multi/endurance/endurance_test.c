/* endurance_test MODE: very many operations; results are checked, and what they cost is told, but not judged.
 *
 *   barriers     10,000 barriers; after each, what the left neighbour stored before is there
 *   collectives  every collective of 8 bytes, 1,000 times each
 *   grow         10^8 puts and 10^7 collectives: memory, heap blocks, descriptors and threads, as the system and the C
 *                library see them, are afterwards what they were. CANOPY_ENDURANCE_DIVIDE=100 does a hundredth.
 *
 * Exit status: 0 passed, 1 failed, 2 wrong arguments. */
#include <dirent.h>
#include <malloc.h>
#include <shmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int me, pes;
static const char* mode;
static const char* doing = "start";

static void fail(const char* what, long got, long wanted) {
  fprintf(stderr, "endurance %s: pe %d: %s: %s is %ld, not %ld\n", mode, me, doing, what, got, wanted);
  shmem_global_exit(1);
}
static void expect(const char* what, long got, long wanted) {
  if (got != wanted) fail(what, got, wanted);
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
static void tell(const char* what, long rounds, double start) {
  if (me == 0) printf("endurance %s: %d PEs: %ld x %s in %.3f s\n", mode, pes, rounds, what, now_s() - start);
}

static long* words(size_t n) {
  long* memory = shmem_calloc(n, sizeof *memory);
  if (memory == NULL) fail("room in the symmetric heap", 0, (long)(n * sizeof *memory));
  return memory;
}

static long *dest, *source;

/* ---- barriers */

static void barriers(void) {
  enum { kRounds = 10000 };
  doing = "barrier";
  const double start = now_s();
  for (long round = 1; round <= kRounds; ++round) {
    /* Two places in turn: the neighbour may be one barrier ahead. */
    shmem_long_p(&dest[round % 2], round * pes + me, (me + 1) % pes);
    shmem_barrier_all();
    expect("what the left neighbour stored", dest[round % 2], round * pes + (me + pes - 1) % pes);
  }
  tell("barrier", kRounds, start);
}

/* ---- collectives: call(round) runs one and checks it */

static long value(int pe, long round) { return round % 1000 + pe + 1; }
static long sum_to(int end, long round) {
  long sum = 0;
  for (int pe = 0; pe < end; ++pe) sum += value(pe, round);
  return sum;
}
static void expect_block_of_each(const char* what, long round) {
  for (int pe = 0; pe < pes; ++pe) expect(what, dest[pe], value(pe, round));
}

static void barrier_all(long round) { (void)round; shmem_barrier_all(); }
static void sync_all(long round) { (void)round; shmem_sync_all(); }
static void team_sync(long round) { (void)round; shmem_team_sync(SHMEM_TEAM_WORLD); }
static void broadcast(long round) {
  const int root = (int)(round % pes);
  shmem_long_broadcast(SHMEM_TEAM_WORLD, dest, source, 1, root);
  expect("the root's value", dest[0], value(root, round));
}
static void fcollect(long round) {
  shmem_long_fcollect(SHMEM_TEAM_WORLD, dest, source, 1);
  expect_block_of_each("a block", round);
}
static void collect(long round) {
  shmem_long_collect(SHMEM_TEAM_WORLD, dest, source, 1);
  expect_block_of_each("a block", round);
}
static void fill_source(long round) {
  for (int pe = 0; pe < pes; ++pe) source[pe] = value(me, round) + 1000 * pe;
}
static void expect_exchanged(long round) {
  for (int pe = 0; pe < pes; ++pe) expect("a block", dest[pe], value(pe, round) + 1000 * me);
}
static void alltoall(long round) {
  fill_source(round);
  shmem_long_alltoall(SHMEM_TEAM_WORLD, dest, source, 1);
  expect_exchanged(round);
}
static void alltoalls(long round) {
  fill_source(round);
  shmem_long_alltoalls(SHMEM_TEAM_WORLD, dest, source, 1, 1, 1);
  expect_exchanged(round);
}
static void sum(long round) {
  shmem_long_sum_reduce(SHMEM_TEAM_WORLD, dest, source, 1);
  expect("the sum", dest[0], sum_to(pes, round));
}
static void max(long round) {
  shmem_long_max_reduce(SHMEM_TEAM_WORLD, dest, source, 1);
  expect("the maximum", dest[0], value(pes - 1, round));
}
static void min(long round) {
  shmem_long_min_reduce(SHMEM_TEAM_WORLD, dest, source, 1);
  expect("the minimum", dest[0], value(0, round));
}
static void inclusive(long round) {
  shmem_long_sum_inscan(SHMEM_TEAM_WORLD, dest, source, 1);
  expect("the sum up to here", dest[0], sum_to(me + 1, round));
}
static void exclusive(long round) {
  shmem_long_sum_exscan(SHMEM_TEAM_WORLD, dest, source, 1);
  expect("the sum before", dest[0], sum_to(me, round));
}

static const struct {
  const char* name;
  void (*call)(long round);
} collectives[] = {{"barrier_all", barrier_all}, {"sync_all", sync_all},     {"team_sync", team_sync},
                   {"broadcast", broadcast},     {"fcollect", fcollect},     {"collect", collect},
                   {"alltoall", alltoall},       {"alltoalls", alltoalls},   {"sum_reduce", sum},
                   {"max_reduce", max},          {"min_reduce", min},        {"sum_inscan", inclusive},
                   {"sum_exscan", exclusive}};
enum { kCollectives = sizeof collectives / sizeof *collectives };

/* A PE that is ahead may write its next result here already: in a broadcast by as many rounds as there are roots. */
static void call_one(int which, long round) {
  long* first = dest;
  doing = collectives[which].name;
  dest = first + round % (2 * pes) * pes;
  source[0] = value(me, round);
  collectives[which].call(round);
  dest = first;
}

static void every_collective(void) {
  enum { kRounds = 1000 };
  for (int which = 0; which < kCollectives; ++which) {
    shmem_barrier_all();
    const double start = now_s();
    for (long round = 0; round < kRounds; ++round) call_one(which, round);
    tell(collectives[which].name, kRounds, start);
  }
}

/* ---- grow */

typedef struct {
  long memory_kib;   /* proportional share of private and shared memory; not of files, which others map as well */
  long heap_blocks;  /* bytes in use, by the C library */
  long descriptors;
  long threads;
} Holdings;

static long entries_of(const char* folder) {
  DIR* open = opendir(folder);
  if (open == NULL) fail(folder, 0, 1);
  long n = 0;
  while (readdir(open) != NULL) ++n;
  closedir(open);
  return n;
}

static long memory_kib(void) {
  FILE* file = fopen("/proc/self/smaps_rollup", "r");
  if (file == NULL) return 0;
  char line[256];
  long sum = 0, kib;
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "Pss_Anon: %ld kB", &kib) == 1 || sscanf(line, "Pss_Shmem: %ld kB", &kib) == 1) sum += kib;
  }
  fclose(file);
  return sum;
}

static Holdings holdings(void) {
  const Holdings now = {memory_kib(), (long)mallinfo2().uordblks, entries_of("/proc/self/fd"), entries_of("/proc/self/task")};
  return now;
}

static void many_puts(long n, long from) {
  enum { kPlaces = 512, kQuietEvery = 1000 };
  const int to = (me + 1) % pes;
  doing = "put";
  shmem_barrier_all();
  for (long i = from; i < from + n; ++i) {
    long* place = &dest[i % kPlaces];
    switch (i % 4) {
      case 0: shmem_long_p(place, i, to); break;
      case 1: shmem_long_put(place, &i, 1, to); break;
      case 2: shmem_putmem_nbi(place, &i, sizeof i, to); shmem_quiet(); break;
      default: shmem_long_put_signal(place, &i, 1, (uint64_t*)&dest[kPlaces], (uint64_t)i, SHMEM_SIGNAL_SET, to);
    }
    if (i % kQuietEvery == 0) shmem_quiet();
  }
  shmem_barrier_all();
  for (long i = from + (n > kPlaces ? n - kPlaces : 0); i < from + n; ++i) expect("the last value", dest[i % kPlaces], i);
}

static void many_collectives(long n) {
  long* first = dest;
  for (long i = 0; i < n; ++i) {
    source[0] = value(me, i);
    switch (i % 3) {
      case 0: doing = "sum_reduce", dest = first, sum(i); break;
      case 1: doing = "broadcast", dest = first + 1, broadcast(i); break;
      default: doing = "barrier_all", shmem_barrier_all(); /* both places are free again */
    }
  }
  dest = first;
}

static void expect_no_more(const char* what, long before, long after, long slack) {
  printf("endurance %s: pe %d: %s: %ld before, %ld after\n", mode, me, what, before, after);
  if (after > before + slack) fail(what, after, before);
}

static void grow(void) {
  const char* text = getenv("CANOPY_ENDURANCE_DIVIDE");
  const long divide = text == NULL || atol(text) < 1 ? 1 : atol(text);
  const long puts = 100000000 / divide, calls = 10000000 / divide / 3 * 3;
  /* What is made at first use is there before the first look. */
  many_puts(puts / 100, 0);
  many_collectives(calls / 100);
  (void)holdings();
  const Holdings before = holdings();
  double start = now_s();
  many_puts(puts, puts / 100);
  tell("put", puts, start);
  start = now_s();
  many_collectives(calls);
  tell("collective", calls, start);
  const Holdings after = holdings();
  /* A thread that wakes for the first time touches a page or two of its stack: 64 KiB are 1/1,600 byte per put. */
  expect_no_more("memory in KiB", before.memory_kib, after.memory_kib, 64);
  expect_no_more("bytes of malloc", before.heap_blocks, after.heap_blocks, 4096);
  expect_no_more("descriptors", before.descriptors, after.descriptors, 0);
  expect_no_more("threads", before.threads, after.threads, 0);
}

int main(int argc, char** argv) {
  mode = argc == 2 ? argv[1] : "";
  shmem_init();
  me = shmem_my_pe();
  pes = shmem_n_pes();
  dest = words(1024 + 2 * (size_t)pes * (size_t)pes);
  source = words((size_t)pes);
  shmem_barrier_all();
  int status = 0;
  if (strcmp(mode, "barriers") == 0) {
    barriers();
  } else if (strcmp(mode, "collectives") == 0) {
    every_collective();
  } else if (strcmp(mode, "grow") == 0) {
    grow();
  } else {
    fprintf(stderr, "usage: endurance_test barriers | collectives | grow\n");
    status = 2;
  }
  shmem_finalize();
  return status;
}
