/* SHMEM_THREAD_MULTIPLE: threads of each PE with private contexts of their own, and on the default
 * one, all at once towards the right neighbour. What arrives from the left is checked by the thread
 * of the same number. Arguments: threads, rounds. */
#include <pthread.h>
#include <shmem.h>
#include <stdio.h>
#include <stdlib.h>

enum { kMostThreads = 16, kLongs = 32 };

static int me, n, right, left, rounds;
/* Symmetric, for each thread: what arrives, its signals (from contexts and from the default one), a
 * sum. */
static long* data;
static uint64_t* signals;
static long* sums;
static int failed;

#define CHECK(what, condition)                                    \
  do {                                                            \
    if (!(condition)) {                                           \
      __atomic_store_n(&failed, 1, __ATOMIC_RELAXED);             \
      fprintf(stderr, "PE %d line %d: %s\n", me, __LINE__, what); \
    }                                                             \
  } while (0)

static void all_from(const long* at, long value) {
  int same = 1;
  for (int i = 0; i < kLongs; ++i) same &= at[i] == value;
  CHECK("the data is there when its signal is", same);
}

/* One round: data and signal to the right, the same from the left, atomics on PE 0. */
static void round_of(shmem_ctx_t ctx, long* at, uint64_t* signal, long* sum, long value) {
  long source[kLongs], old = -1;
  for (int i = 0; i < kLongs; ++i) source[i] = value + me;
  shmem_ctx_long_put_signal(ctx, at, source, kLongs, signal, 1, SHMEM_SIGNAL_ADD, right);
  shmem_ctx_long_atomic_fetch_add_nbi(ctx, &old, sum, 2, 0);
  shmem_ctx_long_atomic_inc(ctx, sum, 0);
  shmem_ctx_quiet(ctx);
  CHECK("quiet brings the old value", old >= 0);
  shmem_uint64_wait_until(signal, SHMEM_CMP_GE, (uint64_t)value);
  all_from(at, value + left);
}

static void* run(void* argument) {
  const size_t thread = (size_t)argument;
  long* own = data + thread * 2 * kLongs;
  uint64_t* signal = signals + thread * 4;
  shmem_ctx_t ctx;
  if (shmem_ctx_create(SHMEM_CTX_PRIVATE, &ctx) != 0) abort();
  for (long value = 1; value <= rounds; ++value) {
    round_of(ctx, own, signal, sums + thread, value);
    round_of(SHMEM_CTX_DEFAULT, own + kLongs, signal + 1, sums + thread, value);
    /* The left neighbour's next data may come when this thread has looked. */
    shmem_ctx_signal_add(ctx, signal + 2, 1, left);
    shmem_signal_wait_until(signal + 2, SHMEM_CMP_GE, (uint64_t)value);
  }
  shmem_ctx_destroy(ctx);
  return NULL;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 4;
  rounds = argc > 2 ? atoi(argv[2]) : 200;
  int provided = -1;
  if (threads > kMostThreads || shmem_init_thread(SHMEM_THREAD_MULTIPLE, &provided) != 0 ||
      provided != SHMEM_THREAD_MULTIPLE) {
    return 2;
  }
  me = shmem_my_pe();
  n = shmem_n_pes();
  right = (me + 1) % n;
  left = (me + n - 1) % n;
  data = shmem_calloc(kMostThreads * 2 * kLongs, sizeof *data);
  signals = shmem_calloc(kMostThreads * 4, sizeof *signals);
  sums = shmem_calloc(kMostThreads, sizeof *sums);
  pthread_t ids[kMostThreads];
  for (long i = 0; i < threads; ++i) pthread_create(&ids[i], NULL, run, (void*)i);
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
  shmem_barrier_all();
  for (int i = 0; i < threads; ++i) {
    CHECK("no update is lost", shmem_long_g(sums + i, 0) == 6L * rounds * n);
  }
  long* failures = shmem_calloc(1, sizeof *failures);
  shmem_long_atomic_add(failures, failed, 0);
  shmem_barrier_all();
  const long total = shmem_long_g(failures, 0);
  if (me == 0 && total == 0) printf("OK: %d PEs with %d threads, %d rounds\n", n, threads, rounds);
  shmem_finalize();
  return total == 0 ? 0 : 1;
}
