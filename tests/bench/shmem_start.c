/* job_start_ms: init and finalize, nothing else. canopy_bench measures the whole run from outside.
 * The same source is built with Canopy and with the peer's oshcc. */
#include <shmem.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  shmem_init();
  const char* wanted = getenv("OMPI_COMM_WORLD_SIZE");
  if (wanted != NULL && atoi(wanted) != shmem_n_pes()) {
    fprintf(stderr, "shmem_start: %d PEs, mpirun started %s\n", shmem_n_pes(), wanted);
    return 1;
  }
  shmem_finalize();
  return 0;
}
