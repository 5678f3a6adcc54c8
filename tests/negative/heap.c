/* Requests to the symmetric heap. */
#include "negative.h"

static void malloc_unequal(int wrong) { shmem_free(shmem_malloc(wrong && shmem_my_pe() == 1 ? 1000 : 2000)); }

/* Size 0 does nothing, so without the debug mode the others would wait. */
static void malloc_of_nothing(int wrong) { shmem_free(shmem_malloc(wrong && shmem_my_pe() == 1 ? 0 : 2000)); }

static void calloc_beside_malloc(int wrong) {
  shmem_free(wrong && shmem_my_pe() == 0 ? shmem_calloc(1, 100) : shmem_malloc(100));
}

static void free_unequal(int wrong) {
  void* a = shmem_malloc(100);
  void* b = shmem_malloc(100);
  shmem_free(wrong && shmem_my_pe() == 1 ? b : a);
}

static void free_twice(int wrong) {
  void* a = shmem_malloc(100);
  void* b = shmem_malloc(100);
  shmem_free(a);
  shmem_free(wrong ? a : b);
}

static void free_inside(int wrong) {
  char* a = shmem_malloc(100);
  shmem_free(a + (wrong ? 8 : 0));
}

static void realloc_of_stack(int wrong) {
  long here[4];
  void* a = shmem_malloc(100);
  shmem_realloc(wrong ? (void*)here : a, 200);
}

const struct negative heap_cases[] = {{"malloc_unequal", malloc_unequal, 0},
                                      {"malloc_of_nothing", malloc_of_nothing, 0},
                                      {"calloc_beside_malloc", calloc_beside_malloc, 0},
                                      {"free_unequal", free_unequal, 0},
                                      {"free_twice", free_twice, 0},
                                      {"free_inside", free_inside, 0},
                                      {"realloc_of_stack", realloc_of_stack, 0},
                                      {NULL, NULL, 0}};
