/* What the programs of this folder share: arguments, random numbers, a clock, sums over all PEs, and the line at the
 * end. Plain C11 and OpenSHMEM 1.4, so that any oshcc compiles it. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <shmem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
  const char* name;    /* "--keys" */
  const char* meaning; /* for --help */
  long value;          /* the default; what the user said after parse_arguments() */
  long least, most;
} Option;

typedef struct {
  const char* name; /* of the program */
  const char* what; /* one sentence for --help */
  Option* options;
  int n_options;
  const char* result; /* --result: the name of a line that tests/bench reads; NULL: none */
  int me, npes;
} Program;

#define EXAMPLE_OPTIONS(list) .options = list, .n_options = (int)(sizeof(list) / sizeof *(list))

static inline void print_help(const Program* program) {
  printf("%s: %s\n\nmpirun -n 4 %s [OPTION VALUE]...\n", program->name, program->what, program->name);
  for (int i = 0; i < program->n_options; ++i) {
    const Option* option = &program->options[i];
    printf("  %-12s %s (%ld; %ld to %ld)\n", option->name, option->meaning, option->value, option->least, option->most);
  }
  printf("  %-12s also prints RESULT and this name, median and slowest ms, for tests/bench\n", "--result");
}

/* All PEs have the same arguments, so all of them end here; one says why. */
static inline void end_before_work(int status) {
  fflush(stdout);
  shmem_finalize();
  exit(status);
}

static inline int is_number_between(const char* text, const Option* option, long* number) {
  char* end = NULL;
  *number = strtol(text, &end, 10);
  return end != text && *end == '\0' && *number >= option->least && *number <= option->most;
}

static inline void take_option(Program* program, const char* name, const char* text) {
  if (strcmp(name, "--result") == 0 && text != NULL) {
    program->result = text;
    return;
  }
  for (int i = 0; i < program->n_options; ++i) {
    Option* option = &program->options[i];
    if (strcmp(name, option->name) != 0) continue;
    if (text != NULL && is_number_between(text, option, &option->value)) return;
    if (program->me == 0) {
      fprintf(stderr, "%s: %s takes a number from %ld to %ld, not '%s'\n", program->name, name, option->least,
              option->most, text != NULL ? text : "");
    }
    end_before_work(2);
  }
  if (program->me == 0) fprintf(stderr, "%s: no option is called '%s'; --help lists them\n", program->name, name);
  end_before_work(2);
}

/* Calls shmem_init(); does not return from --help and from wrong arguments. */
static inline void start_program(Program* program, int argc, char** argv) {
  shmem_init();
  program->me = shmem_my_pe();
  program->npes = shmem_n_pes();
  for (int i = 1; i < argc; i += 2) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      if (program->me == 0) print_help(program);
      end_before_work(0);
    }
    take_option(program, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
  }
}

static inline void* symmetric(const Program* program, size_t bytes) {
  void* block = shmem_malloc(bytes);
  if (block == NULL) {
    fprintf(stderr, "%s: pe %d: the symmetric heap has no %zu bytes left: set SHMEM_SYMMETRIC_SIZE\n", program->name,
            program->me, bytes);
    shmem_global_exit(1);
  }
  return block;
}

static inline void* own_memory(const Program* program, size_t bytes) {
  void* block = malloc(bytes);
  if (block == NULL) {
    fprintf(stderr, "%s: pe %d: no memory for %zu bytes\n", program->name, program->me, bytes);
    shmem_global_exit(1);
  }
  return block;
}

/* Splitmix: every PE can repeat any PE's numbers, which is how results are checked. */
static inline uint64_t next_random(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
/* Below `end`, at most 2^32, without a division. */
static inline uint64_t next_below(uint64_t* state, uint64_t end) { return ((next_random(state) >> 32) * end) >> 32; }

static inline double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The sum of everybody's `mine`, on everybody. */
static inline long sum_over_pes(const Program* program, long mine) {
  long* sum = symmetric(program, sizeof *sum);
  *sum = 0;
  shmem_barrier_all();
  for (int pe = 0; pe < program->npes; ++pe) shmem_long_atomic_add(sum, mine, pe);
  shmem_barrier_all();
  const long all = *sum;
  shmem_free(sum);
  return all;
}

/* `work` as often as asked for, each time between two barriers, after an unmeasured `prepare`. The times in ms. */
static inline double* run_rounds(const Program* program, int rounds, void (*prepare)(void), void (*work)(void)) {
  double* times = own_memory(program, (size_t)rounds * sizeof *times);
  for (int round = 0; round < rounds; ++round) {
    prepare();
    shmem_barrier_all();
    const double start = now_ms();
    work();
    shmem_barrier_all();
    times[round] = now_ms() - start;
  }
  return times;
}

static inline int compare_times(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

/* The last lines, and the exit status: 0 when nothing was wrong on any PE. `amount` is what a round does, in units of
 * which `unit` names a million per second. Frees `times`, finalizes. */
static inline int end_program(const Program* program, double* times, int rounds, double amount, const char* unit,
                              long wrong_here) {
  const long wrong = sum_over_pes(program, wrong_here);
  qsort(times, (size_t)rounds, sizeof *times, compare_times);
  const double median = rounds % 2 == 1 ? times[rounds / 2] : (times[rounds / 2 - 1] + times[rounds / 2]) / 2;
  if (program->me == 0) {
    printf("%s: %d PE%s, %.3f ms, %.2f %s, %ld wrong\n", program->name, program->npes, program->npes > 1 ? "s" : "",
           median, amount / median / 1e3, unit, wrong);
    if (program->result != NULL && wrong == 0) {
      printf("RESULT %s %.6f %.6f\n", program->result, median, times[rounds - 1]);
    }
    fflush(stdout);
  }
  free(times);
  shmem_finalize();
  return wrong == 0 ? 0 : 1;
}

#endif
