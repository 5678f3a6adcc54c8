// LaunchOptions: what a launch asks for beyond its blocks and arguments. Most ask for nothing and
// carry none. Lies with the arguments, so it lives until the task has completed.
#pragma once

#include <cstdint>

namespace canopy {

struct LaunchOptions {
  uint32_t first_block = 0;  // index of the first block; first_block + blocks fits 32 bits
  uint32_t most_cores = 0;   // that its blocks may hold at once; 0: all of the kind
  uint32_t ub_bytes = 0;     // of the unified buffer, that the launch asked for
  uint64_t limit_us = 0;     // how long it may run; 0: for ever
  bool together = false;     // no block starts before there is a core for each
  bool saturates = false;    // what overflows becomes the largest number, not infinite
  bool detects_overflow = false;  // what kernels say of overflows counts

  bool operator==(const LaunchOptions&) const = default;
};

}  // namespace canopy
