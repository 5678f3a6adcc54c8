/* Operations on globals, with one element too many when the last argument is "wrong". */
#include <shmem.h>
#include <stdio.h>
#include <string.h>

long counts[5];
long beside[64];
struct pair {
  int first[4], second[4];
};
struct pair pairs[3];

static size_t one_more;

static void run(const char* name) {
  static long hidden[3];
  long here[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  const int next = (shmem_my_pe() + 1) % shmem_n_pes();
  if (strcmp(name, "put") == 0) shmem_long_put(counts, here, 5 + one_more, next);
  if (strcmp(name, "put_inside") == 0) shmem_long_put(counts + 3, here, 2 + one_more, next);
  if (strcmp(name, "get") == 0) shmem_long_get(here, counts, 5 + one_more, next);
  if (strcmp(name, "source") == 0) shmem_long_put(beside, counts, 5 + one_more, next);
  if (strcmp(name, "static") == 0) shmem_long_put(hidden, here, 3 + one_more, next);
  /* From one member into the other is one object to the linker. */
  if (strcmp(name, "members") == 0) shmem_int_put(pairs[1].first, (const int*)here, 16 + one_more, next);
}

int main(int argc, char** argv) {
  one_more = argc > 2 && strcmp(argv[2], "wrong") == 0;
  shmem_init();
  run(argv[1]);
  shmem_barrier_all();
  if (shmem_my_pe() == 0) printf("survived\n");
  shmem_finalize();
  return 0;
}
