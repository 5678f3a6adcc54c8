/* A token travels once around all PEs: each waits for it, adds one, and puts it to its right
 * neighbour.
 *
 *   oshcc ring.c -o ring && oshrun -np 4 ./ring */
#include <shmem.h>
#include <stdio.h>

int main(void) {
  shmem_init();
  const int me = shmem_my_pe();
  const int n = shmem_n_pes();
  const int right = (me + 1) % n;
  const long start = 100;

  long* token = shmem_calloc(1, sizeof *token);
  if (me == 0) {
    shmem_p(token, start, right);
  }
  shmem_wait_until(token, SHMEM_CMP_NE, 0);
  printf("PE %d of %d has token %ld\n", me, n, *token);
  if (me != 0) {
    shmem_p(token, *token + 1, right);
  }

  const int right_value = *token == start + (me == 0 ? n - 1 : me - 1);
  shmem_free(token);
  shmem_finalize();
  return right_value ? 0 : 1;
}
