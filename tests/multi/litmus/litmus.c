/* Litmus tests of the memory model, between processes: what the ordering routines forbid must never be
 * seen, and with the ordering taken out it must be seen, or the test could not have seen it.
 *
 *   litmus NAME ROUNDS            fails when the forbidden outcome occurs
 *   litmus NAME ROUNDS control    the same without the ordering; fails when it does not occur
 *
 * "x@1" is the word x of role 1. The roles move on by one PE with each round, so that near and far PEs meet in
 * all of them. Nothing is reset between rounds: round r stores values that grow with r, so "old" means below r.
 * Every role puts what it saw into role 0's `seen`, and role 0 judges after a barrier.
 * Exit status: 0 passed, 1 failed, 2 wrong arguments, 77 when there are too few PEs. */
#include <shmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kWords = 512, kPes = 4, kSeen = 2 };

/* Words that different roles store lie in lines of their own, so that one does not bring the other along. */
typedef struct {
  _Alignas(64) long x;
  _Alignas(64) long y;
  _Alignas(64) uint64_t signal;
  _Alignas(64) long data[kWords];
  _Alignas(64) long seen[kPes][kSeen];
  _Alignas(64) long forbidden; /* rounds, on PE 0 */
} Shared;

static Shared* s; /* symmetric */
static int me;    /* this PE's role in this round */
static int pes;
static long turn;

/* The PE that plays `role` in this round. */
static int at(int role) { return (int)((role + turn) % pes); }
static int role_of(int pe) { return (int)((pe - turn % pes + pes) % pes); }

static long local(const long* word) { return *(const volatile long*)word; }

/* Stores of a round are nonblocking, each with a source of its own: only the ordering routines order them. The
 * barrier at the end of the round completes them. */
static void store(long* word, long value, int pe) {
  static long sources[4];
  static int next;
  long* source = &sources[next++ % 4];
  *source = value;
  shmem_long_put_nbi(word, source, 1, pe);
}

static void saw(int slot, long value) {
  shmem_long_p(&s->seen[me][slot], value, at(0));
}

/* SB: x@1 = r, quiet, read y@0 | y@0 = r, quiet, read x@1. Forbidden: both read old values. */
static void sb_run(long r, int ordered) {
  if (me > 1) return;
  store(me == 0 ? &s->x : &s->y, r, at(1 - me));
  if (ordered) shmem_quiet();
  saw(0, local(me == 0 ? &s->y : &s->x));
}
static int sb_forbidden(long r) { return s->seen[0][0] < r && s->seen[1][0] < r; }

/* MP: x@1 = r, fence, y@1 = r | wait for y, read x. Forbidden: x old. */
static void mp_run(long r, int ordered) {
  if (me == 0) {
    store(&s->x, r, at(1));
    if (ordered) shmem_fence();
    store(&s->y, r, at(1));
  } else if (me == 1) {
    shmem_long_wait_until(&s->y, SHMEM_CMP_GE, r);
    saw(0, local(&s->x));
  }
}
static int one_old(long r) { return s->seen[1][0] < r; }

static long oldest(long r) {
  long least = r;
  for (int i = 0; i < kWords; ++i) {
    const long value = local(&s->data[i]);
    if (value < least) least = value;
  }
  return least;
}

static void fill(long* block, long r) {
  for (int i = 0; i < kWords; ++i) block[i] = r;
}

/* The same with a nonblocking put of 4 KiB. */
static void mp_nbi_run(long r, int ordered) {
  static long block[kWords];
  if (me == 0) {
    fill(block, r);
    shmem_long_put_nbi(s->data, block, kWords, at(1));
    if (ordered) shmem_fence();
    store(&s->y, r, at(1));
    shmem_quiet(); /* the block is used again */
  } else if (me == 1) {
    shmem_long_wait_until(&s->y, SHMEM_CMP_GE, r);
    saw(0, oldest(r));
  }
}

/* Put with signal; its control sets the signal without waiting for the data. */
static void put_signal_run(long r, int ordered) {
  static long block[kWords];
  if (me == 0) {
    fill(block, r);
    if (ordered) {
      shmem_long_put_signal_nbi(s->data, block, kWords, &s->signal, (uint64_t)r, SHMEM_SIGNAL_SET, at(1));
    } else {
      shmem_long_put_nbi(s->data, block, kWords, at(1));
      static uint64_t value;
      value = (uint64_t)r;
      shmem_uint64_put_nbi(&s->signal, &value, 1, at(1));
    }
    shmem_quiet();
  } else if (me == 1) {
    shmem_signal_wait_until(&s->signal, SHMEM_CMP_GE, (uint64_t)r);
    saw(0, oldest(r));
  }
}

/* LB: read y@1, then x@0 = r | read x@0, then y@1 = r. Forbidden: both read r. */
static void lb_run(long r, int ordered) {
  if (me > 1) return;
  const long* from = me == 0 ? &s->y : &s->x;
  long* to = me == 0 ? &s->x : &s->y;
  static long got;
  if (ordered) {
    got = shmem_long_g(from, at(1 - me));
    store(to, r, at(me));
  } else {
    shmem_long_get_nbi(&got, from, 1, at(1 - me));
    store(to, r, at(me));
    shmem_quiet();
  }
  saw(0, got);
}
static int lb_forbidden(long r) { return s->seen[0][0] >= r && s->seen[1][0] >= r; }

/* Two words of other PEs, one after the other, or both at once. */
static void read_two(const long* first, int first_role, const long* second, int second_role, int ordered) {
  const int first_pe = at(first_role), second_pe = at(second_role);
  static long got[2];
  if (ordered) {
    got[0] = shmem_long_g(first, first_pe);
    got[1] = shmem_long_g(second, second_pe);
  } else {
    shmem_long_get_nbi(&got[0], first, 1, first_pe);
    shmem_long_get_nbi(&got[1], second, 1, second_pe);
    shmem_quiet();
  }
  saw(0, got[0]);
  saw(1, got[1]);
}

/* IRIW: PE 1 stores x@0, PE 2 stores y@3; PE 0 reads x, y and PE 3 reads y, x. Forbidden: they disagree on
 * which came first. */
static void iriw_run(long r, int ordered) {
  switch (me) {
    case 0: read_two(&s->x, 0, &s->y, 3, ordered); break;
    case 1: store(&s->x, r, at(0)); break;
    case 2: store(&s->y, r, at(3)); break;
    case 3: read_two(&s->y, 3, &s->x, 0, ordered); break;
    default: break;
  }
}
static int iriw_forbidden(long r) {
  return s->seen[0][0] >= r && s->seen[0][1] < r && s->seen[3][0] >= r && s->seen[3][1] < r;
}

/* CoRR: x@0 = r | read x@0 twice. Forbidden: new, then old. */
static void corr_run(long r, int ordered) {
  if (me == 0) {
    store(&s->x, r, at(0));
  } else if (me == 1) {
    read_two(&s->x, 0, &s->x, 0, ordered);
  }
}
static int corr_forbidden(long r) { return s->seen[1][0] >= r && s->seen[1][1] < r; }

/* 2+2W on one PE: x = a, fence, y = b | y = c, fence, x = d. Forbidden: the first stores of both win. */
static void w22_run(long r, int ordered) {
  if (me > 1) return;
  store(me == 0 ? &s->x : &s->y, 2 * r, at(0));
  if (ordered) shmem_fence();
  store(me == 0 ? &s->y : &s->x, 2 * r + 1, at(0));
}
static int w22_forbidden(long r) { return local(&s->x) == 2 * r && local(&s->y) == 2 * r; }

/* The same on two PEs, x@0 and y@1: a fence orders per PE only, so it takes a quiet. */
static void w22_two_run(long r, int ordered) {
  if (me > 1) return;
  store(me == 0 ? &s->x : &s->y, 2 * r, at(me));
  if (ordered) shmem_quiet();
  store(me == 0 ? &s->y : &s->x, 2 * r + 1, at(1 - me));
}
static int w22_two_forbidden(long r) {
  return local(&s->x) == 2 * r && shmem_long_g(&s->y, at(1)) == 2 * r;
}

static const struct Test {
  const char* name;
  int pes;
  void (*run)(long round, int ordered);
  int (*forbidden)(long round); /* on role 0 */
} kTests[] = {
    {"sb", 2, sb_run, sb_forbidden},
    {"mp", 2, mp_run, one_old},
    {"mp_nbi", 2, mp_nbi_run, one_old},
    {"put_signal", 2, put_signal_run, one_old},
    {"lb", 2, lb_run, lb_forbidden},
    {"iriw", 4, iriw_run, iriw_forbidden},
    {"corr", 2, corr_run, corr_forbidden},
    {"w22", 2, w22_run, w22_forbidden},
    {"w22_two", 2, w22_two_run, w22_two_forbidden},
};

/* PEs begin a round at slightly different moments, so that their operations meet in every way. */
static void lean_in(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  for (uint64_t i = *state >> 58; i > 0; --i) {
    __asm__ __volatile__("" ::: "memory");
  }
}

int main(int argc, char** argv) {
  const long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
  const int control = argc > 3 && strcmp(argv[3], "control") == 0;
  const struct Test* test = NULL;
  for (size_t i = 0; argc > 1 && i < sizeof kTests / sizeof *kTests; ++i) {
    if (strcmp(kTests[i].name, argv[1]) == 0) test = &kTests[i];
  }
  if (test == NULL || rounds < 1 || (argc > 3 && !control)) {
    fprintf(stderr, "usage: litmus NAME ROUNDS [control]\n");
    return 2;
  }
  shmem_init();
  const int pe = shmem_my_pe();
  pes = shmem_n_pes();
  if (pes < test->pes || pes > kPes) {
    if (pe == 0) fprintf(stderr, "skipped: %s needs %d PEs, at most %d\n", test->name, test->pes, kPes);
    shmem_finalize();
    return 77;
  }
  s = shmem_align(64, sizeof *s);
  if (s == NULL) {
    fprintf(stderr, "litmus: no symmetric memory\n");
    shmem_global_exit(1);
  }
  memset(s, 0, sizeof *s);
  uint64_t skew = (uint64_t)pe + 1;
  long mine = 0;
  for (long r = 1; r <= rounds; ++r) {
    shmem_barrier_all();
    turn = r;
    me = role_of(pe);
    lean_in(&skew);
    test->run(r, !control);
    shmem_barrier_all();
    if (me == 0) mine += test->forbidden(r);
  }
  shmem_barrier_all();
  shmem_long_atomic_add(&s->forbidden, mine, 0);
  shmem_barrier_all();
  int status = 0;
  if (pe == 0) {
    const long forbidden = s->forbidden;
    status = control ? forbidden == 0 : forbidden != 0;
    printf("litmus %s: %ld of %ld rounds showed what %s forbidden: %s\n", test->name, forbidden, rounds,
           control ? "the ordering would have" : "is", status == 0 ? "passed" : "FAILED");
  }
  shmem_free(s);
  shmem_finalize();
  return status;
}
