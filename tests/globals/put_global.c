/* Puts to a global, or with an argument to a constant; how the library takes it is up to misuse.sh. */
#include <shmem.h>

static long global;
static const long constant = 1;

int main(int argc, char** argv) {
  (void)argv;
  shmem_init();
  shmem_long_p(argc > 1 ? (long*)&constant : &global, 7, 0);
  shmem_barrier_all();
  const int good = shmem_my_pe() != 0 || global == 7;
  shmem_finalize();
  return good ? 0 : 1;
}
