/* volume_test MODE: transfers of every length and in every number; each byte is checked.
 *
 *   odd          0 to 300 bytes between all alignments of 0 to 15, put and get
 *   outstanding  1,000,000 nonblocking puts and as many gets before one quiet
 *   flood        everybody sends 64 KiB blocks to everybody, both ways at once
 *   self         the same three to the calling PE
 *   huge         one put and one get of 2 GiB + 4 KiB + 3 bytes; needs SHMEM_SYMMETRIC_SIZE=4600M
 *
 * Exit status: 0 passed, 1 failed, 2 wrong arguments, 77 when there are too few PEs. */
#include <shmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int me, pes;
static const char* mode;

static void fail(const char* what, size_t where, unsigned long got, unsigned long wanted) {
  fprintf(stderr, "volume %s: pe %d: %s at %zu is %#lx, not %#lx\n", mode, me, what, where, got, wanted);
  shmem_global_exit(1);
}

static void* need(void* memory, size_t bytes) {
  if (memory == NULL) {
    fprintf(stderr, "volume %s: pe %d: no memory for %zu bytes\n", mode, me, bytes);
    shmem_global_exit(1);
  }
  return memory;
}

/* A value that tells writer, reader and place. */
static uint64_t mark(int from, int to, uint64_t i) {
  return (i + 1) * 0x9E3779B97F4A7C15u ^ ((uint64_t)from << 56) ^ ((uint64_t)to << 48);
}

static void odd(int to, int from) {
  enum { kLongest = 300, kAlign = 16, kRoom = kLongest + 2 * kAlign };
  unsigned char* there = need(shmem_malloc(kRoom), kRoom);
  unsigned char* back = need(shmem_malloc(kRoom), kRoom);
  unsigned char mine[kRoom], got[kRoom];
  for (int i = 0; i < kRoom; ++i) {
    mine[i] = (unsigned char)(i * 7 + me);
    back[i] = (unsigned char)(i * 11 + me);
  }
  shmem_barrier_all();
  for (size_t bytes = 0; bytes <= kLongest; bytes = bytes < 40 ? bytes + 1 : bytes + 13) {
    for (size_t a = 0; a < kAlign; a += 1) {
      const size_t b = (a * 5 + bytes) % kAlign;
      memset(there, 0xEE, kRoom);
      shmem_barrier_all();
      shmem_putmem(there + b, mine + a, bytes, to);
      shmem_barrier_all();
      for (size_t i = 0; i < kRoom; ++i) {
        const int inside = i >= b && i < b + bytes;
        const unsigned wanted = inside ? (unsigned char)((a + i - b) * 7 + (size_t)from) : 0xEE;
        if (there[i] != wanted) fail("a byte put", i, there[i], wanted);
      }
      memset(got, 0xDD, kRoom);
      shmem_getmem(got + a, back + b, bytes, to);
      for (size_t i = 0; i < kRoom; ++i) {
        const int inside = i >= a && i < a + bytes;
        const unsigned wanted = inside ? (unsigned char)((b + i - a) * 11 + (size_t)to) : 0xDD;
        if (got[i] != wanted) fail("a byte got", i, got[i], wanted);
      }
    }
  }
  shmem_barrier_all();
  shmem_free(back);
  shmem_free(there);
}

static void outstanding(int to, int from) {
  enum { kCount = 1000000 };
  const size_t bytes = kCount * sizeof(uint64_t);
  uint64_t* there = need(shmem_malloc(bytes), bytes);
  uint64_t* mine = need(malloc(bytes), bytes);
  memset(there, 0, bytes);
  for (size_t i = 0; i < kCount; ++i) mine[i] = mark(me, to, i);
  shmem_barrier_all();
  for (size_t i = 0; i < kCount; ++i) shmem_uint64_put_nbi(&there[i], &mine[i], 1, to);
  shmem_quiet();
  shmem_barrier_all();
  for (size_t i = 0; i < kCount; ++i) {
    if (there[i] != mark(from, me, i)) fail("a word put", i, there[i], mark(from, me, i));
  }
  memset(mine, 0, bytes);
  for (size_t i = 0; i < kCount; ++i) shmem_uint64_get_nbi(&mine[i], &there[i], 1, to);
  shmem_quiet();
  for (size_t i = 0; i < kCount; ++i) {
    if (mine[i] != mark(me, to, i)) fail("a word got", i, mine[i], mark(me, to, i));
  }
  shmem_barrier_all();
  free(mine);
  shmem_free(there);
}

static void flood(int only) {
  enum { kWords = 8192, kRounds = 20 };
  const size_t bytes = (size_t)pes * kWords * sizeof(uint64_t);
  uint64_t* there = need(shmem_malloc(bytes), bytes);
  uint64_t* mine = need(malloc(bytes), bytes);
  for (uint64_t round = 0; round < kRounds; ++round) {
    for (int to = 0; to < pes; ++to) {
      for (uint64_t i = 0; i < kWords; ++i) mine[(size_t)to * kWords + i] = mark(me, to, i + round * kWords);
    }
    shmem_barrier_all();
    for (int step = 0; step < pes; ++step) {
      const int to = (me + step) % pes;
      if (only < 0 || to == only) {
        shmem_uint64_put_nbi(there + (size_t)me * kWords, mine + (size_t)to * kWords, kWords, to);
      }
    }
    shmem_quiet();
    shmem_barrier_all();
    for (int from = 0; from < pes; ++from) {
      for (uint64_t i = 0; i < kWords && (only < 0 || from == only); ++i) {
        const uint64_t got = there[(size_t)from * kWords + i];
        if (got != mark(from, me, i + round * kWords)) {
          fail("a word of the flood", i, got, mark(from, me, i + round * kWords));
        }
      }
    }
  }
  shmem_barrier_all();
  free(mine);
  shmem_free(there);
}

static void huge(int to, int from) {
  const size_t bytes = ((size_t)2 << 30) + 4096 + 3;
  const size_t words = bytes / sizeof(uint64_t) + 1;
  uint64_t* mine = need(shmem_malloc(words * 8), words * 8);
  uint64_t* there = need(shmem_malloc(words * 8), words * 8);
  for (size_t i = 0; i < words; ++i) mine[i] = mark(me, to, i);
  there[words - 1] = 0;
  shmem_barrier_all();
  if (me == 0 || pes == 1) shmem_putmem(there, mine, bytes, to);
  shmem_barrier_all();
  if (from == 0) {
    for (size_t i = 0; i < words - 1; ++i) {
      if (there[i] != mark(from, me, i)) fail("a word of a huge put", i, there[i], mark(from, me, i));
    }
    const uint64_t tail = mark(from, me, words - 1) & 0xFFFFFF; /* three bytes, little end first */
    if (there[words - 1] != tail) fail("the end of a huge put", words - 1, there[words - 1], tail);
  }
  shmem_barrier_all();
  if (me == 0) {
    shmem_getmem(there, mine, bytes, to);
    for (size_t i = 0; i < words - 1; ++i) {
      const uint64_t wanted = mark(to, (to + 1) % pes, i);
      if (there[i] != wanted) fail("a word of a huge get", i, there[i], wanted);
    }
  }
  shmem_barrier_all();
  shmem_free(there);
  shmem_free(mine);
}

int main(int argc, char** argv) {
  mode = argc == 2 ? argv[1] : "";
  if (strcmp(mode, "odd") != 0 && strcmp(mode, "outstanding") != 0 && strcmp(mode, "flood") != 0 &&
      strcmp(mode, "self") != 0 && strcmp(mode, "huge") != 0) {
    fprintf(stderr, "usage: volume_test odd|outstanding|flood|self|huge\n");
    return 2;
  }
  shmem_init();
  me = shmem_my_pe();
  pes = shmem_n_pes();
  const int to = (me + 1) % pes;
  const int from = (me + pes - 1) % pes;
  if (strcmp(mode, "odd") == 0) {
    odd(to, from);
  } else if (strcmp(mode, "outstanding") == 0) {
    outstanding(to, from);
  } else if (strcmp(mode, "flood") == 0) {
    flood(-1);
  } else if (strcmp(mode, "huge") == 0) {
    huge(to, from);
  } else {
    odd(me, me);
    outstanding(me, me);
    flood(me);
  }
  if (me == 0) printf("volume %s: %d PEs: passed\n", mode, pes);
  shmem_finalize();
  return 0;
}
