// StepTime: how long a program's steps take, as those see it who share its memory; also the step that it is in, and
// also when it does not come out of it.
#pragma once

#include "runtime/base/clock.h"
#include "runtime/base/waiter.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace canopy::test {

struct StepTime {
  std::atomic<uint64_t> begun_ns;  // of the step that it is in; 0: none
  std::atomic<uint64_t> longest_ns;
  std::atomic<uint64_t> steps;

  // The program's calls.
  void begin() { begun_ns = monotonic_ns(); }
  void end() {
    longest_ns = so_far();
    begun_ns = 0;
    ++steps;
  }
  // The same for a program that was killed.
  void was_killed() {
    longest_ns = so_far();
    begun_ns = 0;
  }
  uint64_t so_far() const {
    const uint64_t begun = begun_ns;
    return std::max(longest_ns.load(), begun == 0 ? 0 : monotonic_ns() - begun);
  }
};

// Whether each of the programs ends a step within `most`.
inline bool all_move_on(std::span<StepTime* const> programs, std::chrono::nanoseconds most) {
  std::vector<uint64_t> before;
  for (const StepTime* program : programs) {
    before.push_back(program->steps);
  }
  const auto moved = [&] {
    for (size_t i = 0; i < before.size(); ++i) {
      if (programs[i]->steps == before[i]) {
        return false;
      }
    }
    return true;
  };
  return wait_until(moved, nullptr, BellScope::process, Deadline::after(most), [] { return std::string("the test"); }) ==
         WaitEnd::ready;
}

}  // namespace canopy::test
