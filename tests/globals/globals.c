/* Globals and statics as symmetric objects: every kind of routine on them, and what must stay as it is without
 * OpenSHMEM: values, untouched pages, fork, system, popen, exec. Built by oshcc, with and without -pie, as C and
 * as C++. */
#include <shmem.h>
#include <shmemx.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int wrong;
#define EXPECT(condition)                                                                    \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      fprintf(stderr, "pe %d: line %d: %s\n", shmem_my_pe(), __LINE__, #condition);          \
      ++wrong;                                                                               \
    }                                                                                        \
  } while (0)

long data = 42;
char text[] = "as the program was compiled";
long zero[64];
static char gigabyte[1 << 30];
static long lock;
static long counted;
static uint64_t signal_word;
static long psync[SHMEM_REDUCE_SYNC_SIZE];
static long pwrk[SHMEM_REDUCE_MIN_WRKDATA_SIZE + 64];
static long from[256], to[256];
static double real = 0.5;
static const long constant = 7;

static int me, n, next, before;

static void rma(void) {
  static long in_function = 5;
  EXPECT(data == 42 && in_function == 5 && strcmp(text, "as the program was compiled") == 0);
  shmem_barrier_all();
  shmem_long_p(&in_function, 100 + me, next);
  shmem_long_p(&data, 1000 + me, next);
  for (int i = 0; i < 64; ++i) from[i] = me * 100 + i;
  shmem_long_put(zero, from, 64, next);
  shmem_barrier_all();
  EXPECT(in_function == 100 + before && data == 1000 + before);
  EXPECT(zero[0] == before * 100 && zero[63] == before * 100 + 63);
  EXPECT(shmem_long_g(&in_function, next) == 100 + me);
  shmem_long_get(to, zero, 64, next);
  EXPECT(to[0] == me * 100 && to[63] == me * 100 + 63);
  shmem_barrier_all();
  shmem_long_put_nbi(to, from, 8, next);
  shmem_quiet();
  shmem_barrier_all();
  EXPECT(to[7] == before * 100 + 7);
  shmem_barrier_all(); /* before anybody's zero changes */
  shmem_long_iput(zero, from, 2, 1, 8, next);
  shmem_barrier_all();
  EXPECT(zero[14] == before * 100 + 7 && zero[13] == before * 100 + 13);
  shmem_long_iget(to, zero, 1, 2, 8, next);
  EXPECT(to[7] == me * 100 + 7);
  gigabyte[500u << 20] = (char)me;
  shmem_barrier_all();
  EXPECT(shmem_char_g(&gigabyte[500u << 20], next) == (char)next);
  EXPECT(shmem_addr_accessible(&data, next) && shmem_addr_accessible(gigabyte + sizeof gigabyte - 1, next));
  EXPECT(!shmem_addr_accessible(&constant, next) && !shmem_addr_accessible(stdout, next));
  long* there = (long*)shmem_ptr(&data, next);
  if (there) EXPECT(*there == 1000 + me);
  const void* own = shmem_ptr(&data, me);
  EXPECT(own == NULL || own == &data);
  shmem_barrier_all();
}

static void atomics_and_signals(void) {
  shmem_long_atomic_inc(&counted, 0);
  shmem_long_atomic_fetch_add(&counted, 10, 0);
  shmem_double_atomic_swap(&real, 1.5 + me, next);
  shmem_barrier_all();
  EXPECT(shmem_long_atomic_fetch(&counted, 0) == 11 * n);
  EXPECT(real == 1.5 + before);
  long old = -1;
  shmem_long_atomic_fetch_add_nbi(&old, &counted, 0, 0);
  shmem_quiet();
  EXPECT(old == 11 * n);
  from[0] = me + 7;
  shmem_long_put_signal(zero, from, 1, &signal_word, 3, SHMEM_SIGNAL_SET, next);
  shmem_signal_wait_until(&signal_word, SHMEM_CMP_EQ, 3);
  EXPECT(zero[0] == before + 7);
  long* heap = (long*)shmem_calloc(2, sizeof(long));
  uint64_t* heap_signal = (uint64_t*)shmem_calloc(1, sizeof(uint64_t));
  shmem_long_put_signal(heap, from, 1, &signal_word, 2, SHMEM_SIGNAL_ADD, next);
  shmem_signal_wait_until(&signal_word, SHMEM_CMP_EQ, 5);
  EXPECT(heap[0] == before + 7);
  shmem_long_put_signal(&zero[1], from, 1, heap_signal, 1, SHMEM_SIGNAL_SET, next);
  shmem_signal_wait_until(heap_signal, SHMEM_CMP_EQ, 1);
  EXPECT(zero[1] == before + 7);
  shmem_free(heap_signal);
  shmem_free(heap);
}

static void collectives(void) {
  for (int i = 0; i < 64; ++i) from[i] = me + i;
  shmem_long_sum_reduce(SHMEM_TEAM_WORLD, to, from, 64);
  EXPECT(to[3] == (long)n * (n - 1) / 2 + 3L * n);
  shmem_barrier_all(); /* all have looked */
  shmem_long_max_reduce(SHMEM_TEAM_WORLD, to, from, 1);
  EXPECT(to[0] == n - 1);
  shmem_barrier_all(); /* all have looked */
  shmem_long_broadcast(SHMEM_TEAM_WORLD, to, from, 64, n - 1);
  EXPECT(to[5] == n - 1 + 5);
  shmem_barrier_all(); /* all have looked */
  shmem_long_fcollect(SHMEM_TEAM_WORLD, to, from, 4);
  EXPECT(to[4 * before + 1] == before + 1);
  shmem_barrier_all(); /* all have looked */
  shmem_long_alltoall(SHMEM_TEAM_WORLD, to, from, 4);
  EXPECT(to[4 * before] == before + 4 * me);
  for (int i = 0; i < SHMEM_REDUCE_SYNC_SIZE; ++i) psync[i] = SHMEM_SYNC_VALUE;
  shmem_barrier_all();
  shmem_long_sum_to_all(to, from, 8, 0, 0, n, pwrk, psync);
  EXPECT(to[1] == (long)n * (n - 1) / 2 + n);
  shmem_barrier_all();
  shmem_barrier(0, 0, n, psync);
}

static void locks(void) {
  shmem_barrier_all();
  zero[9] = 0;
  shmem_barrier_all();
  for (int i = 0; i < 20; ++i) {
    shmem_set_lock(&lock);
    const long seen = shmem_long_g(&zero[9], 0);
    shmem_long_p(&zero[9], seen + 1, 0);
    shmem_quiet();
    shmem_clear_lock(&lock);
  }
  shmem_barrier_all();
  EXPECT(shmem_long_g(&zero[9], 0) == 20L * n);
}

static void children(const char* self) {
  shmem_barrier_all();
  zero[20] = 1;
  const pid_t child = fork();
  if (child == 0) {
    const int sees = zero[20] == 1 && gigabyte[500u << 20] == (char)me;
    zero[20] = 2;
    memset(gigabyte, 9, 1 << 20);
    _exit(sees && zero[20] == 2 ? 0 : 1);
  }
  zero[20] = 3; /* the child has what was there at the fork */
  int status = -1;
  EXPECT(waitpid(child, &status, 0) == child && status == 0);
  EXPECT(zero[20] == 3 && gigabyte[0] == 0);
  shmem_barrier_all();
  EXPECT(shmem_long_g(&zero[20], next) == 3 && shmem_char_g(&gigabyte[5], next) == 0);
  EXPECT(system("exit 3") == 3 << 8);
  FILE* pipe = popen("echo from a child", "r");
  char line[32] = "";
  EXPECT(pipe && fgets(line, sizeof line, pipe) && strcmp(line, "from a child\n") == 0);
  EXPECT(pclose(pipe) == 0);
  const pid_t other = fork();
  if (other == 0) {
    execl(self, self, "child", (char*)0);
    _exit(9);
  }
  EXPECT(waitpid(other, &status, 0) == other && status == 0);
}

#ifdef __cplusplus
#include <iostream>
#include <string>
#include <vector>
struct Made {
  std::vector<int> numbers;
  std::string text;
  Made() : numbers(100, 7), text("constructed before main, long enough for the heap") {}
};
static Made made;
static void constructed(void) {
  EXPECT(made.numbers.size() == 100 && made.numbers[99] == 7 && made.text.size() == 49);
  std::cout << "pe " << me << std::endl;
}
#else
static void constructed(void) {
  printf("pe %d\n", me);
  fflush(stdout);
}
#endif

/* Globals, heaps and control pages: libfabric's own buffers are none of them. */
static long resident_kib(void) {
  long kib = -1;
  char line[128];
  FILE* file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "RssShmem: %ld", &kib) == 1) break;
  }
  if (file) fclose(file);
  return kib;
}

int main(int argc, char** argv) {
  if (argc > 1) return data == 42 ? 0 : 1;
  struct timespec cpu;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  EXPECT(cpu.tv_sec == 0 && cpu.tv_nsec < 200000000);
  EXPECT(resident_kib() < 16 * 1024);
  shmem_init();
  me = shmem_my_pe();
  n = shmem_n_pes();
  next = (me + 1) % n;
  before = (me + n - 1) % n;
  constructed();
  rma();
  atomics_and_signals();
  collectives();
  locks();
  children(argv[0]);
  EXPECT(resident_kib() < 16 * 1024);
  if (getenv("SHOW")) fprintf(stderr, "cpu before main %ld us, resident %ld KiB\n", cpu.tv_nsec / 1000, resident_kib());
  shmem_finalize();
  return wrong != 0;
}
