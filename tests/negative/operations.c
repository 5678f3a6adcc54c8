/* Puts, gets, atomics and signals: PE, address, block, overlap, context. */
#include "negative.h"

static long not_symmetric[4]; /* without shmemx_symmetric_globals */

static void pe_out_of_range(int wrong) {
  long* word = shmem_calloc(1, sizeof *word);
  shmem_long_p(word, 1, wrong ? shmem_n_pes() : next_pe());
}

static void pe_negative(int wrong) {
  long* word = shmem_calloc(1, sizeof *word);
  shmem_long_atomic_inc(word, wrong ? -1 : next_pe());
}

/* A context's PEs are its team's. */
static void pe_of_team(int wrong) {
  long* word = shmem_calloc(1, sizeof *word);
  shmem_team_t team;
  shmem_team_split_strided(SHMEM_TEAM_WORLD, 0, 1, 1, NULL, 0, &team);
  shmem_ctx_t ctx;
  if (team == SHMEM_TEAM_INVALID || shmem_team_create_ctx(team, 0, &ctx) != 0) return;
  shmem_ctx_long_p(ctx, word, 1, wrong ? 1 : 0);
  shmem_ctx_destroy(ctx);
}

static void put_to_stack(int wrong) {
  long here[4] = {0};
  long* there = shmem_calloc(4, sizeof *there);
  shmem_long_put(wrong ? here : there, here, 4, next_pe());
}

static void get_from_malloc(int wrong) {
  long here[4];
  long* theirs = shmem_calloc(4, sizeof *theirs);
  long* private = malloc(4 * sizeof *private);
  shmem_long_get(here, wrong ? private : theirs, 4, next_pe());
  free(private);
}

static void amo_on_static(int wrong) {
  long* word = shmem_calloc(1, sizeof *word);
  shmem_long_atomic_fetch_add(wrong ? not_symmetric : word, 1, next_pe());
}

static void put_to_null(int wrong) {
  int* word = shmem_calloc(1, sizeof *word);
  shmem_int_p(wrong ? NULL : word, 1, next_pe());
}

/* What shmem_ptr gives is another PE's address. */
static void put_by_ptr(int wrong) {
  long* word = shmem_calloc(1, sizeof *word);
  const int other = (shmem_my_pe() + 1) % shmem_n_pes();
  shmem_long_p(wrong ? shmem_ptr(word, other) : word, 1, other);
  shmem_barrier_all();
}

static void past_the_heap(int wrong) {
  char* bytes = shmem_malloc(64);
  char here[64] = {0};
  shmem_putmem(bytes, here, wrong ? (size_t)1 << 60 : sizeof here, next_pe());
}

/* ---- Blocks of the heap. */
static void past_the_block(int wrong) {
  int* block = shmem_malloc(10 * sizeof *block);
  int here[11] = {0};
  shmem_int_put(block, here, wrong ? 11 : 10, next_pe());
}

static void between_blocks(int wrong) {
  char* block = shmem_malloc(40); /* the heap gives 64 */
  shmem_char_p(block + (wrong ? 48 : 39), 1, next_pe());
}

static void put_after_free(int wrong) {
  long* gone = shmem_malloc(sizeof *gone);
  long* kept = shmem_malloc(sizeof *kept);
  shmem_free(gone);
  shmem_long_p(wrong ? gone : kept, 1, next_pe());
}

static void amo_after_free(int wrong) {
  long* gone = shmem_calloc(1, sizeof *gone);
  long* kept = shmem_calloc(1, sizeof *kept);
  shmem_free(gone);
  shmem_long_atomic_compare_swap(wrong ? gone : kept, 0, 1, next_pe());
}

static void get_after_realloc(int wrong) {
  long* old = shmem_malloc(sizeof *old);
  long* new = shmem_realloc(old, 1000 * sizeof *new);
  shmem_long_g(wrong ? old : new, next_pe());
}

static void signal_after_free(int wrong) {
  uint64_t* gone = shmem_calloc(1, sizeof *gone);
  uint64_t* kept = shmem_calloc(1, sizeof *kept);
  shmem_free(gone);
  shmem_signal_set(wrong ? gone : kept, 1, next_pe());
}

/* The local side of an operation is memory, too. */
static void source_after_free(int wrong) {
  long* gone = shmem_calloc(1, sizeof *gone);
  long* kept = shmem_calloc(1, sizeof *kept);
  shmem_free(gone);
  shmem_long_put(kept, wrong ? gone : (long[]){7}, 1, next_pe());
}

static void lock_after_free(int wrong) {
  long* gone = shmem_calloc(1, sizeof *gone);
  long* kept = shmem_calloc(1, sizeof *kept);
  shmem_free(gone);
  shmem_set_lock(wrong ? gone : kept);
  shmem_clear_lock(kept);
}

static void strided_past_block(int wrong) {
  int* block = shmem_malloc(16 * sizeof *block);
  int here[8] = {0};
  shmem_int_iput(block, here, wrong ? 3 : 2, 1, 8, next_pe());
}

/* ---- Overlap: within one PE's memory. */
static void put_overlap(int wrong) {
  long* block = shmem_calloc(8, sizeof *block);
  shmem_long_put(block, block + (wrong ? 3 : 4), 4, shmem_my_pe());
}

static void get_overlap(int wrong) {
  long* block = shmem_calloc(8, sizeof *block);
  shmem_long_get_nbi(block + (wrong ? 2 : 4), block, 4, shmem_my_pe());
  shmem_quiet();
}

static void iput_overlap(int wrong) { /* even to odd elements are apart, even to even are not */
  long* block = shmem_calloc(9, sizeof *block);
  shmem_long_iput(block + (wrong ? 2 : 1), block, 2, 2, 4, shmem_my_pe());
}

static void signal_in_dest(int wrong) {
  uint64_t* block = shmem_calloc(5, sizeof *block);
  const uint64_t here[4] = {0};
  shmem_uint64_put_signal(block, here, 4, block + (wrong ? 3 : 4), 1, SHMEM_SIGNAL_SET, next_pe());
}

static void wrong_sig_op(int wrong) {
  uint64_t* word = shmem_calloc(2, sizeof *word);
  const uint64_t here = 1;
  shmem_uint64_put_signal(word, &here, 1, word + 1, 1, wrong ? 7 : SHMEM_SIGNAL_ADD, next_pe());
}

static void wrong_comparison(int wrong) {
  uint64_t* word = shmem_calloc(1, sizeof *word);
  shmem_signal_wait_until(word, wrong ? 6 : SHMEM_CMP_EQ, 0);
}

/* ---- Contexts. */
static void dead_context(int wrong) {
  long* word = shmem_calloc(1, sizeof *word);
  shmem_ctx_t ctx;
  if (shmem_ctx_create(0, &ctx) != 0) shmem_global_exit(44);
  if (wrong) shmem_ctx_destroy(ctx);
  shmem_ctx_long_p(ctx, word, 1, next_pe());
  shmem_ctx_quiet(ctx);
}

static void invalid_context(int wrong) {
  long* word = shmem_calloc(1, sizeof *word);
  shmem_ctx_long_atomic_inc(wrong ? SHMEM_CTX_INVALID : SHMEM_CTX_DEFAULT, word, next_pe());
}

static void default_destroyed(int wrong) { shmem_ctx_destroy(wrong ? SHMEM_CTX_DEFAULT : SHMEM_CTX_INVALID); }

/* The checks hold on contexts as well. */
static void context_past_block(int wrong) {
  long* block = shmem_malloc(4 * sizeof *block);
  long here[5] = {0};
  shmem_ctx_t ctx;
  if (shmem_team_create_ctx(SHMEM_TEAM_SHARED, 0, &ctx) != 0) shmem_global_exit(44);
  shmem_ctx_long_put(ctx, block, here, wrong ? 5 : 4, 0);
  shmem_ctx_destroy(ctx);
}

const struct negative operation_cases[] = {{"pe_out_of_range", pe_out_of_range, 0},
                                           {"pe_negative", pe_negative, 0},
                                           {"pe_of_team", pe_of_team, 0},
                                           {"put_to_stack", put_to_stack, 0},
                                           {"get_from_malloc", get_from_malloc, 0},
                                           {"amo_on_static", amo_on_static, 0},
                                           {"put_to_null", put_to_null, 0},
                                           {"put_by_ptr", put_by_ptr, 0},
                                           {"past_the_heap", past_the_heap, 0},
                                           {"past_the_block", past_the_block, 0},
                                           {"between_blocks", between_blocks, 0},
                                           {"put_after_free", put_after_free, 0},
                                           {"amo_after_free", amo_after_free, 0},
                                           {"get_after_realloc", get_after_realloc, 0},
                                           {"signal_after_free", signal_after_free, 0},
                                           {"source_after_free", source_after_free, 0},
                                           {"lock_after_free", lock_after_free, 0},
                                           {"strided_past_block", strided_past_block, 0},
                                           {"put_overlap", put_overlap, 0},
                                           {"get_overlap", get_overlap, 0},
                                           {"iput_overlap", iput_overlap, 0},
                                           {"signal_in_dest", signal_in_dest, 0},
                                           {"wrong_sig_op", wrong_sig_op, 0},
                                           {"wrong_comparison", wrong_comparison, 0},
                                           {"dead_context", dead_context, 0},
                                           {"invalid_context", invalid_context, 0},
                                           {"default_destroyed", default_destroyed, 0},
                                           {"context_past_block", context_past_block, 0},
                                           {NULL, NULL, 0}};
