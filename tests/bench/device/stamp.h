// Kernels that leave time stamps in HBM, and a gate that holds a stream back until all is queued.
#pragma once

#include "canopy/kernel.h"
#include "tests/bench/support/ticks.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace canopy::bench {

// One task's stamps, in a line of its own so that a reader does not slow the writer down.
struct alignas(64) Stamp {
  uint64_t start;
  uint64_t end;
  uint64_t thread;  // that ran it: tells whether two tasks shared an executor
  uint64_t runs;
};

inline uint64_t thread_id() {
  static thread_local const uint64_t id = static_cast<uint64_t>(::gettid());
  return id;
}

// The body of a task whose start and end are of interest. The last thing it does is to take the
// end.
inline void take_stamp(Stamp* stamp) {
  const uint64_t start = bench_ticks_behind();
  stamp->start = start;
  stamp->thread = thread_id();
  ++stamp->runs;
  stamp->end = bench_ticks();
}

// Waits until the host has opened the gate for `round`; gives the executor away meanwhile.
inline void pass_gate(uint64_t* gate, uint64_t round) {
  // Acquire: pairs with open_gate(); what the host queued and zeroed before is visible.
  while (std::atomic_ref(*gate).load(std::memory_order_acquire) < round) {
    canopy_yield();
  }
}

inline void open_gate(uint64_t& gate, uint64_t round) {
  // Release: see pass_gate().
  std::atomic_ref(gate).store(round, std::memory_order_release);
}

}  // namespace canopy::bench
