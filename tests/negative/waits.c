/* Waits for what cannot come (run.sh sets CANOPY_TIMEOUT so that PE 0 gives up first), and for what is no word to
 * wait for. What does come has come before the wait begins, so that its sentence does not depend on who is how fast. */
#include "negative.h"

static void wait_after_free(int wrong) {
  long* gone = shmem_calloc(1, sizeof *gone);
  long* kept = shmem_calloc(1, sizeof *kept);
  *gone = *kept = 0;
  shmem_free(gone);
  shmem_long_p(kept, 1, next_pe());
  shmem_long_wait_until(wrong ? gone : kept, SHMEM_CMP_NE, 0);
}

static void wait_on_stack(int wrong) {
  long here = 0;
  long* word = shmem_calloc(1, sizeof *word);
  shmem_long_p(word, 1, next_pe());
  shmem_long_wait_until(wrong ? &here : word, SHMEM_CMP_EQ, 1);
}

/* PE 1 writes 7 where PE 0 waits for more. */
static void wait_long(int wrong) {
  long* word = shmem_calloc(2, sizeof *word);
  if (shmem_my_pe() == shmem_n_pes() - 1) shmem_long_p(word + 1, 7, 0);
  shmem_barrier_all();
  if (shmem_my_pe() == 0) shmem_long_wait_until(word + 1, SHMEM_CMP_GT, wrong ? 7 : 6);
}

static void wait_amo(int wrong) {
  int* word = shmem_calloc(2, sizeof *word);
  shmem_int_atomic_add(word, 2, 0);
  shmem_barrier_all();
  if (shmem_my_pe() == 0) shmem_int_wait_until(word, SHMEM_CMP_EQ, 2 * shmem_n_pes() + (wrong ? 1 : 0));
}

static void wait_signal(int wrong) {
  uint64_t* sig = shmem_calloc(2, sizeof *sig);
  long* data = shmem_calloc(4, sizeof *data);
  const long here[4] = {1, 2, 3, 4};
  if (shmem_my_pe() == shmem_n_pes() - 1) shmem_long_put_signal(data, here, 4, sig, 5, SHMEM_SIGNAL_SET, 0);
  shmem_barrier_all();
  if (shmem_my_pe() == 0) shmem_signal_wait_until(sig, SHMEM_CMP_EQ, wrong ? 6 : 5);
}

/* It went to another PE. */
static void wait_elsewhere(int wrong) {
  long* word = shmem_calloc(1, sizeof *word);
  const int last = shmem_n_pes() - 1;
  if (shmem_my_pe() == last) shmem_long_p(word, 7, wrong ? last : 0);
  shmem_barrier_all();
  if (shmem_my_pe() == 0) shmem_long_wait_until(word, SHMEM_CMP_EQ, 7);
}

static void wait_all(int wrong) {
  long* word = shmem_calloc(4, sizeof *word);
  for (int i = 0; i < (wrong ? 3 : 4); ++i) {
    if (shmem_my_pe() == 0) shmem_long_p(word + i, 7, 0);
  }
  if (shmem_my_pe() == 0) shmem_long_wait_until_all(word, 4, NULL, SHMEM_CMP_EQ, 7);
}

static void wait_any(int wrong) {
  long* word = shmem_calloc(4, sizeof *word);
  if (shmem_my_pe() == shmem_n_pes() - 1) shmem_long_p(word + 2, 7, 0);
  shmem_barrier_all();
  if (shmem_my_pe() == 0) shmem_long_wait_until_any(word, 4, NULL, SHMEM_CMP_EQ, wrong ? 8 : 7);
}

static void wait_some_vector(int wrong) {
  int* word = shmem_calloc(3, sizeof *word);
  const int values[3] = {1, 2, wrong ? 3 : 9};
  const int status[3] = {0, 1, 0};
  size_t indices[3];
  if (shmem_my_pe() == shmem_n_pes() - 1) shmem_int_p(word + 2, 9, 0);
  shmem_barrier_all();
  if (shmem_my_pe() == 0) shmem_int_wait_until_some_vector(word, 3, indices, status, SHMEM_CMP_EQ, values);
}

static void wait_barrier(int wrong) {
  long* word = shmem_calloc(1, sizeof *word);
  if (wrong && shmem_my_pe() == 1) shmem_long_wait_until(word, SHMEM_CMP_NE, 0);
  shmem_sync_all();
}

static void wait_broadcast(int wrong) {
  long* word = shmem_calloc(8, sizeof *word);
  if (wrong && shmem_my_pe() == 1) shmem_long_wait_until(word, SHMEM_CMP_NE, 0);
  shmem_long_broadcast(SHMEM_TEAM_WORLD, word + 4, word, 4, 1);
}

static void wait_lock(int wrong) {
  long* lock = shmem_calloc(2, sizeof *lock);
  if (shmem_my_pe() == 1) shmem_set_lock(lock);
  shmem_barrier_all();
  if (!wrong && shmem_my_pe() == 1) shmem_clear_lock(lock);
  if (shmem_my_pe() == 0) {
    shmem_set_lock(lock);
    shmem_clear_lock(lock);
  }
  shmem_barrier_all();
}

const struct negative wait_cases[] = {{"wait_after_free", wait_after_free, 0},
                                      {"wait_on_stack", wait_on_stack, 0},
                                      {"wait_long", wait_long, 0},
                                      {"wait_amo", wait_amo, 0},
                                      {"wait_signal", wait_signal, 0},
                                      {"wait_elsewhere", wait_elsewhere, 0},
                                      {"wait_all", wait_all, 0},
                                      {"wait_any", wait_any, 0},
                                      {"wait_some_vector", wait_some_vector, 0},
                                      {"wait_barrier", wait_barrier, 0},
                                      {"wait_broadcast", wait_broadcast, 0},
                                      {"wait_lock", wait_lock, 0},
                                      {NULL, NULL, 0}};
