/* A plain store behind the end of a symmetric global, which AddressSanitizer is to find. */
#include <shmem.h>
#include <stdio.h>

long counts[5];

int main(int argc, char** argv) {
  (void)argv;
  shmem_init();
  shmem_long_p(counts + 4, 7, (shmem_my_pe() + 1) % shmem_n_pes());
  shmem_barrier_all();
  if (counts[4] != 7) return 2;
  counts[4 + argc] = 1; /* alone on the command line argc is 1 */
  printf("survived\n");
  shmem_finalize();
  return 0;
}
