// Barrier: where all PEs meet when they are near each other (others: far_barrier.h). Two algorithms
// over the control pages, chosen once, the same on every PE:
//
//   dissemination   PEs <= CPUs. In round r, PE i tells PE i + 2^r and hears from PE i - 2^r. With
//                   two PEs that is one store into the peer's page and one wait: the cost of a line
//                   crossing once each way.
//   central         more PEs than CPUs. The last to arrive at a counter releases all others with
//                   one word: every PE that must wait gives its CPU away once, not once per round.
//
// Words carry the number of the barrier (64 bits, only growing), so nothing is ever reset and a
// fast PE may be one barrier ahead. Every wait is also told when a PE that it waits for leaves the
// job.
//
// One thread (or one block of a kernel) per PE at a time.
#pragma once

#include "shmem/world/control_page.h"

#include <cstdint>
#include <vector>

namespace canopy::shmem {

class World;

class Barrier {
 public:
  Barrier() = default;
  // pages[i] is the control page of PE i; `cpus` is how many CPUs the PEs may use together.
  Barrier(int me, std::vector<ControlPage*> pages, int cpus);

  // Returns when every PE has called it. Earlier stores of any PE are then visible to all.
  // `routine` is what to name in reports.
  void sync(World& world, const char* routine);

  bool is_central() const { return central_; }

 private:
  void disseminate(World& world, uint64_t generation, const char* routine);
  void meet_at_counter(World& world, uint64_t generation, const char* routine);
  void wait_slow(World& world, const uint64_t* word, uint64_t generation, int from,
                 const char* routine);

  int me_ = 0;
  int n_ = 1;
  bool central_ = false;
  uint64_t generation_ = 0;
  ControlPage* mine_ = nullptr;
  std::vector<ControlPage*> pages_;
};

}  // namespace canopy::shmem
