/* §9.5 Communication management; §9.9 sessions. */
#include "conformance.h"

static void with_options(long options) {
  shmem_ctx_t made = SHMEM_CTX_INVALID;
  CHECK("§9.5.1: created", shmem_ctx_create(options, &made) == 0);
  CHECK("§9.5.1: a handle of its own",
        made != SHMEM_CTX_INVALID && made != SHMEM_CTX_DEFAULT && made != context);
  long* words = (long*)block;
  shmem_ctx_long_p(made, words, me + 1, right);
  shmem_ctx_fence(made);
  shmem_ctx_long_atomic_inc(made, words + 1, right);
  shmem_ctx_quiet(made);
  CHECK("§9.12.2: complete after its quiet", shmem_long_g(words, right) == me + 1);
  shmem_ctx_long_p(made, words + 2, me + 2, right);
  shmem_ctx_destroy(made);
  CHECK("§9.5.3: destroying quiets first", shmem_long_g(words + 2, right) == me + 2);
  shmem_barrier_all();
  CHECK("§9.5: from the left", words[0] == left + 1 && words[1] == 1 && words[2] == left + 2);
}

static void invalid_ones(void) {
  int nobody = n + 5;
  shmem_ctx_fence(SHMEM_CTX_INVALID);
  shmem_ctx_quiet(SHMEM_CTX_INVALID);
  shmem_ctx_pe_quiet(SHMEM_CTX_INVALID, &nobody, 1);
  shmem_ctx_destroy(SHMEM_CTX_INVALID);
  shmem_ctx_session_start(SHMEM_CTX_INVALID, 0, NULL, 0);
  shmem_ctx_session_stop(SHMEM_CTX_INVALID);
  shmem_ctx_t refused = SHMEM_CTX_DEFAULT;
  CHECK("§9.5.1: what cannot be made is nonzero and INVALID",
        shmem_ctx_create(1L << 40, &refused) != 0 && refused == SHMEM_CTX_INVALID);
}

/* Over libfabric each has an endpoint, whose first operation takes 0.1 s: fewer there. */
static int all_near(void) {
  int near = 1;
  for (int pe = 0; pe < n; ++pe) {
    char why[200];
    shmemx_why(pe, why, sizeof why);
    near &= strncmp(why, "mapped", 6) == 0 || strcmp(why, "self") == 0;
  }
  return near;
}

static void several(void) {
  enum { kMost = 200 };
  const int kMany = all_near() ? kMost : 2;
  shmem_ctx_t many[kMost];
  long* words = (long*)block;
  for (int i = 0; i < kMany; ++i) {
    CHECK("§9.5.1: several", shmem_ctx_create(SHMEM_CTX_SERIALIZED, &many[i]) == 0);
    shmem_ctx_long_p(many[i], words + i, me * 100 + i, right);
  }
  for (int i = 0; i < kMany; ++i) {
    for (int j = 0; j < i; ++j) CHECK("§9.5.1: different", many[i] != many[j]);
    shmem_ctx_quiet(many[i]);
  }
  shmem_barrier_all();
  for (int i = 0; i < kMany; ++i) {
    CHECK("§9.5: each moved its own", words[i] == left * 100 + i);
    shmem_ctx_destroy(many[i]);
  }
}

static void sessions(shmem_ctx_t ctx) {
  const shmem_ctx_session_config_t config = {.total_ops = 100};
  long* words = (long*)block;
  shmem_ctx_session_start(ctx, SHMEM_CTX_SESSION_BATCH, &config, SHMEM_CTX_SESSION_TOTAL_OPS);
  shmem_ctx_session_start(ctx, 0, NULL, 0);
  for (int i = 0; i < 100; ++i) shmem_ctx_long_p(ctx, words + i, me + i, right);
  shmem_ctx_session_stop(ctx);
  shmem_ctx_session_stop(ctx);
  shmem_ctx_quiet(ctx);
  shmem_barrier_all();
  CHECK("§9.9: a session changes nothing", words[0] == left && words[99] == left + 99);
}

void chapter_contexts(void) {
  const long options[] = {0, SHMEM_CTX_SERIALIZED, SHMEM_CTX_PRIVATE, SHMEM_CTX_NOSTORE,
                          SHMEM_CTX_SERIALIZED | SHMEM_CTX_PRIVATE | SHMEM_CTX_NOSTORE};
  const size_t combinations = sizeof options / sizeof *options;
  for (size_t i = all_near() ? 0 : combinations - 2; i < combinations; ++i) {
    with_options(options[i]);
    fresh();
  }
  invalid_ones();
  several();
  fresh();
  sessions(context);
  fresh();
  sessions(SHMEM_CTX_DEFAULT);
}
