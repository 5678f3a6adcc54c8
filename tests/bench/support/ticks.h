/* Time for benchmark programs, in C and C++, ours and the peers' alike: the cycle counter, and its
 * rate measured once against CLOCK_MONOTONIC. Below 100 ns the 25 ns of clock_gettime would be the
 * figure. */
#ifndef CANOPY_BENCH_TICKS_H
#define CANOPY_BENCH_TICKS_H

#include <stdint.h>
#include <time.h>

static inline uint64_t bench_monotonic_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t bench_ticks(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t value;
  __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(value));
  return value;
#else
  return bench_monotonic_ns();
#endif
}

/* Not taken before what precedes it in the program has happened: plain rdtsc runs ahead of a load that a
 * predicted branch waits for. */
static inline uint64_t bench_ticks_behind(void) {
#if defined(__x86_64__)
  __builtin_ia32_lfence();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb" ::: "memory");
#endif
  return bench_ticks();
}

/* Nanoseconds per tick; takes 20 ms, so call it once. */
static inline double bench_ns_per_tick(void) {
  const uint64_t start_ns = bench_monotonic_ns();
  const uint64_t start = bench_ticks();
  uint64_t now_ns = start_ns;
  while (now_ns - start_ns < 20000000u) {
    now_ns = bench_monotonic_ns();
  }
  return (double)(now_ns - start_ns) / (double)(bench_ticks() - start);
}

#endif /* CANOPY_BENCH_TICKS_H */
