#include "negative.h"

static const struct negative* const all[] = {operation_cases, heap_cases, collective_cases, wait_cases, setup_cases};

static const struct negative* find(const char* name) {
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    for (const struct negative* one = all[i]; one->name != NULL; ++one) {
      if (strcmp(one->name, name) == 0) return one;
    }
  }
  return NULL;
}

int main(int argc, char** argv) {
  const struct negative* one = argc == 3 ? find(argv[1]) : NULL;
  if (one == NULL) {
    fprintf(stderr, "usage: negative CASE wrong|right\n");
    return 99;
  }
  const int wrong = strcmp(argv[2], "wrong") == 0;
  if (!one->before_init) shmem_init();
  one->run(wrong);
  if (shmem_my_pe() == 0) printf("survived\n");
  shmem_finalize();
  return 0;
}
