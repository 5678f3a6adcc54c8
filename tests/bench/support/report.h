/* What benchmark programs print, in C and C++: "RESULT name median p99", read by canopy_bench. */
#ifndef CANOPY_BENCH_REPORT_H
#define CANOPY_BENCH_REPORT_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static inline int bench_compare(const void* a, const void* b) {
  const double x = *(const double*)a;
  const double y = *(const double*)b;
  return (x > y) - (x < y);
}

/* Sorts `samples`. The p99 is the slow end: for a rate (higher_is_better) the value that 99 %
 * reach. */
static inline void bench_report(const char* name, double* samples, size_t count,
                                int higher_is_better) {
  if (count == 0) {
    fprintf(stderr, "%s: no sample was taken\n", name);
    exit(1);
  }
  qsort(samples, count, sizeof *samples, bench_compare);
  const size_t tail = (count - 1) * 99 / 100;
  printf("RESULT %s %.6g %.6g\n", name, samples[count / 2],
         samples[higher_is_better ? count - 1 - tail : tail]);
  fflush(stdout);
}

/* Repeats to do: all, or few when the run only checks that the benchmark works. */
static inline size_t bench_repeats(size_t wanted) {
  const size_t few = wanted / 20;
  return getenv("CANOPY_BENCH_QUICK") == NULL ? wanted : few > 2 ? few : 2;
}

#endif /* CANOPY_BENCH_REPORT_H */
