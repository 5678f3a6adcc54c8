/* §9.12 Memory ordering, and the barriers of §9.10 that order. */
#include "conformance.h"

enum { kRounds = 20, kLongs = 64 };

/* §9.12.1: what was put before a fence is there when what came after it is. */
static void fences(shmem_ctx_t ctx) {
  long* data = (long*)block;
  long* flag = (long*)block + kLongs;
  long source[kLongs];
  for (int round = 1; round <= kRounds; ++round) {
    for (int i = 0; i < kLongs; ++i) source[i] = 1000L * round + me + i;
    if (ctx == SHMEM_CTX_DEFAULT) {
      shmem_long_put(data, source, kLongs, right);
      shmem_fence();
      shmem_long_atomic_set(flag, round, right);
    } else {
      shmem_ctx_long_put_nbi(ctx, data, source, kLongs, right);
      shmem_ctx_fence(ctx);
      shmem_ctx_long_atomic_set(ctx, flag, round, right);
    }
    shmem_long_wait_until(flag, SHMEM_CMP_GE, round);
    int whole = 1;
    for (int i = 0; i < kLongs; ++i) whole &= data[i] == 1000L * round + left + i;
    CHECK("§9.12.1: fence", whole);
    complete();
  }
}

/* §9.12.2: after quiet it is visible to all PEs, not to the target alone. */
static void quiets(void) {
  const int all[3] = {right, 0, right};
  long* words = (long*)block;
  shmem_long_p(words, 1 + me, right);
  shmem_quiet();
  CHECK("§9.12.2: quiet", shmem_long_g(words, right) == 1 + me);
  shmem_ctx_long_p(context, words + 1, 2 + me, right);
  shmem_ctx_quiet(context);
  CHECK("§9.12.2: quiet of a context", shmem_long_g(words + 1, right) == 2 + me);
  shmem_long_p(words + 2, 3 + me, right);
  shmem_pe_quiet(all, 3);
  CHECK("§9.12.3: pe_quiet", shmem_long_g(words + 2, right) == 3 + me);
  shmem_ctx_long_p(context, words + 3, 4 + me, right);
  shmem_ctx_pe_quiet(context, all, 1);
  CHECK("§9.12.3: pe_quiet of a context", shmem_long_g(words + 3, right) == 4 + me);
  shmem_pe_quiet(NULL, 0);
  shmem_ctx_pe_quiet(context, NULL, 0);
}

/* §9.10.1 and 2: barrier_all completes puts of the default context, sync_all stores. */
static void meetings(void) {
  long* words = (long*)block;
  for (int round = 1; round <= kRounds; ++round) {
    long source = round * 10 + me;
    shmem_long_put_nbi(words, &source, 1, right);
    shmem_barrier_all();
    CHECK("§9.10.1: barrier_all completes", words[0] == round * 10 + left);
    words[1] = round;
    shmem_sync_all();
    const long* there = shmem_ptr(words, right);
    if (there != NULL) CHECK("§9.10.4: sync_all shows stores", there[1] == round);
    shmem_sync_all();
  }
}

void chapter_order(void) {
  fences(SHMEM_CTX_DEFAULT);
  fresh();
  fences(context);
  fresh();
  quiets();
  fresh();
  meetings();
}
