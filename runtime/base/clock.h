// The clock: wall time from CLOCK_MONOTONIC, in nanoseconds, the same for all processes of a host.
//
// A type, not free functions, so that tests inject their own. now_ns() costs about 25 ns; where that
// matters (event timestamps, rotation) callers use ticks() (about 10 ns) and convert once.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace canopy {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual uint64_t now_ns() const;
  static const Clock& system();
};

inline uint64_t monotonic_ns() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<uint64_t>(ts.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(ts.tv_nsec);
}

// A free-running counter, invariant and synchronised between cores where the CPU has one.
inline uint64_t ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t value;
  __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(value));
  return value;
#else
  return monotonic_ns();
#endif
}

// Converts ticks() to the scale of monotonic_ns(). The rate is calibrated by the first caller and
// refined by later ones; the error against monotonic_ns() stays below 1 us a second.
class TickScale {
 public:
  static uint64_t to_ns(uint64_t tick);
  static double ticks_per_ns();
};

}  // namespace canopy
