/* rails_probe MODE [ROUNDS]: two PEs on two hosts that several networks join.
 *
 *   contents     sizes around the threshold (512 KiB) and 1 to 64 MiB, misaligned: put, get, their nbi
 *                forms, put with signal, fence before and after, contexts, both ways at once
 *   flood        ROUNDS of 8 MiB each way with a signal behind it, and a get of 8 MiB by both; PE 0
 *                says "round N", so that somebody can break something meanwhile
 *   pull         ROUNDS of gets alone
 *
 * Each byte is checked. Exit status: 0 passed, 1 failed, 2 wrong arguments. */
#include <shmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kBlock = 8 << 20 };
static const size_t kLongest = (64u << 20) + 4096;
static int me, other;
static unsigned char *there, *from, *pulled;
static unsigned char* mine;
static uint64_t* word;

static void fail(const char* what, size_t nbytes, size_t where) {
  fprintf(stderr, "rails: pe %d: %s of %zu bytes is wrong at %zu\n", me, what, nbytes, where);
  shmem_global_exit(1);
}

static unsigned char mark(int pe, uint64_t round, size_t i) {
  return (unsigned char)((i * 31 + (i >> 8) + (i >> 16) * 7) ^ (round * 59) ^ ((uint64_t)pe << 7));
}
static void fill(unsigned char* at, size_t nbytes, int pe, uint64_t round) {
  for (size_t i = 0; i < nbytes; ++i) at[i] = mark(pe, round, i);
}
static void check(const char* what, const unsigned char* at, size_t nbytes, int pe, uint64_t round) {
  for (size_t i = 0; i < nbytes; ++i) {
    if (at[i] != mark(pe, round, i)) fail(what, nbytes, i);
  }
}

enum Form { kPut, kPutNbi, kPutSignal, kPutSignalNbi, kPutFenceFlag, kFlagFencePut, kContext, kGet, kGetNbi, kForms };
static const char* kNames[] = {"a put", "a put_nbi", "a put_signal", "a put_signal_nbi", "a put before a fence",
                               "a put after a fence", "a put of a context", "a get", "a get_nbi"};

static void move(enum Form form, size_t a, size_t b, size_t nbytes, uint64_t round) {
  unsigned char* to = there + b;
  switch (form) {
    case kPut: shmem_putmem(to, mine + a, nbytes, other); break;
    case kPutNbi: shmem_putmem_nbi(to, mine + a, nbytes, other); break;
    case kPutSignal: shmem_putmem_signal(to, mine + a, nbytes, word, round, SHMEM_SIGNAL_SET, other); return;
    case kPutSignalNbi: shmem_putmem_signal_nbi(to, mine + a, nbytes, word, round, SHMEM_SIGNAL_SET, other); return;
    case kPutFenceFlag:
      shmem_putmem_nbi(to, mine + a, nbytes, other);
      shmem_fence();
      shmem_uint64_p(word, round, other);
      return;
    case kFlagFencePut: /* the reader takes the last byte for the sign that the word is there */
      shmem_uint64_p(word + 1, round, other);
      shmem_fence();
      shmem_putmem_nbi(to, mine + a, nbytes, other);
      break;
    case kContext: {
      shmem_ctx_t ctx;
      if (shmem_ctx_create(0, &ctx) != 0) ctx = SHMEM_CTX_DEFAULT;
      shmem_ctx_putmem_nbi(ctx, to, mine + a, nbytes, other);
      shmem_ctx_quiet(ctx);
      if (ctx != SHMEM_CTX_DEFAULT) shmem_ctx_destroy(ctx);
      break;
    }
    case kGet: shmem_getmem(pulled + b, from + a, nbytes, other); return;
    case kGetNbi: shmem_getmem_nbi(pulled + b, from + a, nbytes, other); return;
    default: break;
  }
  shmem_quiet();
  shmem_uint64_p(word, round, other);
}

static void contents(void) {
  static const size_t sizes[] = {(512 << 10) - 1, 512 << 10, (512 << 10) + 1, (600 << 10) + 7, 1 << 20,
                                 (1 << 20) + 13,  3 << 20,   (16 << 20) + 5,  64 << 20};
  uint64_t round = 0;
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; ++s) {
    for (int form = 0; form < kForms; ++form) {
      if (sizes[s] > 16u << 20 && form != kPutSignalNbi && form != kGet) continue;
      const size_t nbytes = sizes[s], a = (s * 5 + (size_t)form) % 67, b = (s * 11 + (size_t)form * 3) % 71;
      ++round;
      fill(mine + a, nbytes, me, round);
      if (form >= kGet) memcpy(from + a, mine + a, nbytes);
      memset(there + b, 0xEE, nbytes + 1);
      const unsigned char before = b > 0 ? there[b - 1] : 0;
      shmem_barrier_all();
      move((enum Form)form, a, b, nbytes, round);
      if (form < kGet) {
        shmem_uint64_wait_until(word, SHMEM_CMP_EQ, round);
        check(kNames[form], there + b, nbytes, other, round);
        if (there[b + nbytes] != 0xEE || (b > 0 && there[b - 1] != before)) fail("the edge", nbytes, nbytes);
        if (form == kFlagFencePut && word[1] != round) fail("the word before the fence", nbytes, 0);
      } else {
        shmem_quiet();
        check(kNames[form], pulled + b, nbytes, other, round);
      }
      shmem_barrier_all();
    }
  }
}

static void flood(long rounds, int puts) {
  for (uint64_t round = 1; round <= (uint64_t)rounds; ++round) {
    fill(from, kBlock, me, round + 100000);
    fill(mine, kBlock, me, round);
    shmem_barrier_all();
    if (puts) shmem_putmem_signal_nbi(there, mine, kBlock, word, round, SHMEM_SIGNAL_SET, other);
    if (!puts || round % 4 == 0) {
      shmem_getmem(pulled, from, kBlock, other);
      check("a get", pulled, kBlock, other, round + 100000);
    }
    if (puts) {
      shmem_uint64_wait_until(word, SHMEM_CMP_EQ, round);
      check("a put_signal", there, kBlock, other, round);
    }
    shmem_quiet();
    shmem_barrier_all();
    if (me == 0) {
      printf("round %llu\n", (unsigned long long)round);
      fflush(stdout);
    }
  }
}

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  const long rounds = argc > 2 ? atol(argv[2]) : 1;
  shmem_init();
  me = shmem_my_pe();
  other = 1 - me;
  const size_t room = strcmp(mode, "contents") == 0 ? kLongest : kBlock;
  there = shmem_malloc(room);
  from = shmem_malloc(room);
  pulled = shmem_malloc(room);
  word = shmem_calloc(2, sizeof *word);
  mine = malloc(room);
  if (shmem_n_pes() != 2 || there == NULL || from == NULL || pulled == NULL || word == NULL || mine == NULL) {
    fprintf(stderr, "rails: two PEs with room for %zu bytes each are needed\n", 3 * room);
    shmem_global_exit(2);
  }
  if (strcmp(mode, "contents") == 0) {
    contents();
  } else if (strcmp(mode, "flood") == 0 || strcmp(mode, "pull") == 0) {
    flood(rounds, mode[0] == 'f');
  } else {
    shmem_global_exit(2);
  }
  shmem_barrier_all();
  if (me == 0) printf("passed\n");
  shmem_finalize();
  return 0;
}
