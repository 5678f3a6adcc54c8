// Doorbell: how an agent that published something wakes one that sleeps.
//
// The sleeper pays, not the producer (design: "Waiting"). The producer stores its data, and then
// ring() is a compiler barrier and one plain load. The sleeper raises `sleepers`, calls membarrier -
// which makes every running thread of the scope pass a full barrier - re-checks its condition, and
// only then sleeps. So either the producer's load sees the sleeper, or the sleeper's re-check sees
// the data.
//
//   producer                         sleeper
//   store data                       sleepers += 1
//   compiler barrier                 membarrier()      (acts as the producer's missing fence)
//   load sleepers --- 0: done        re-check data --- there: do not sleep
//                 \-- else: futex wake              \-- futex wait
//
// Where membarrier is missing (seccomp), producers of process scope use a full fence, and sleepers of
// host scope sleep in naps of at most 1 ms instead of without limit.
//
// Plain integers, so that it can live in memory shared between processes. Any thread may ring; any
// number may sleep.
#pragma once

#include "runtime/base/cache_line.h"

#include <chrono>
#include <cstdint>

namespace canopy {

enum class BellScope : uint8_t {
  process,  // all producers and sleepers are threads of this process
  host      // they may be in other processes; the bell lies in shared memory
};

struct Doorbell {
  uint32_t sequence = 0;  // the futex word: changes with every wake
  uint32_t sleepers = 0;

  // REQUIRES: what the sleeper waits for has been stored (release or stronger) by this thread.
  void ring(BellScope scope);
  // Puts the caller to sleep until ring() or until `limit` has passed, unless still_needed() turns
  // false before. May return early for no reason: callers loop.
  template <class StillNeeded>
  void sleep(BellScope scope, std::chrono::nanoseconds limit, StillNeeded&& still_needed) {
    const uint32_t seen = announce(scope);
    if (still_needed()) {
      block(scope, seen, limit);
    }
    retire();
  }

  // The same on two bells, this one of process scope and `shared` of host scope. Where the system cannot wait for two
  // words, in naps of at most 1 ms.
  template <class StillNeeded>
  void sleep_on_both(Doorbell& shared, std::chrono::nanoseconds limit, StillNeeded&& still_needed) {
    const uint32_t seen = announce(BellScope::process);
    const uint32_t seen_shared = shared.announce(BellScope::host);
    if (still_needed()) {
      block_on_both(shared, seen, seen_shared, limit);
    }
    shared.retire();
    retire();
  }

 private:
  uint32_t announce(BellScope scope);
  void block(BellScope scope, uint32_t seen, std::chrono::nanoseconds limit);
  void block_on_both(Doorbell& shared, uint32_t seen, uint32_t seen_shared, std::chrono::nanoseconds limit);
  void retire();
  void wake(BellScope scope);
};
static_assert(sizeof(Doorbell) == 8);

namespace doorbell_detail {
// True when producers of process scope must fence by themselves (no membarrier here).
extern bool producer_fences;
}  // namespace doorbell_detail

inline void Doorbell::ring(BellScope scope) {
  if (doorbell_detail::producer_fences && scope == BellScope::process) [[unlikely]] {
    store_load_fence();
  }
  compiler_barrier();
  // Relaxed: the membarrier of the sleeper stands for the fence that would be here.
  if (load_relaxed(&sleepers) != 0) [[unlikely]] {
    wake(scope);
  }
}

// Full barrier on all running threads of the scope; false where the system call is missing.
bool membarrier(BellScope scope);

// Thin wrappers over futex(2), for words in private or shared memory.
void futex_wait(uint32_t* word, uint32_t expected, BellScope scope, std::chrono::nanoseconds limit);
void futex_wake(uint32_t* word, int count, BellScope scope);

}  // namespace canopy
