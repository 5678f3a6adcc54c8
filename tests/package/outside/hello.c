/* A program of somebody else that speaks OpenSHMEM: a job of one. */
#include <shmem.h>
#include <stdio.h>

int main(void) {
  shmem_init();
  long* word = shmem_malloc(sizeof *word);
  *word = 0;
  shmem_long_atomic_add(word, 42, shmem_my_pe());
  shmem_barrier_all();
  int wrong = *word != 42 || shmem_n_pes() != 1;
  printf("pe %d of %d: %ld\n", shmem_my_pe(), shmem_n_pes(), *word);
  shmem_free(word);
  shmem_finalize();
  return wrong;
}
