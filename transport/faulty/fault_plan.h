// FaultPlan: what a FaultyTransport does wrong, and when. The text of CANOPY_FAULTY as a value:
// words separated by commas.
//
//   seed=N     everything random below is drawn from it: with the same seed, the same operations
//              meet the same faults
//   delay=N    an operation is held for 0 to N polls
//   reorder    what has no order by the contract leaves in any order
//   again=N    N of 100 posts meet back-pressure
//   window=N   operations held at once, beyond that back-pressure (256)
//   fail=N     one operation, at a point drawn from the first N, fails
//   drop=N     likewise: the connection to its target breaks for good
//   kill=N     likewise: the process kills itself
//   only=N     the last three happen at this PE and at no other
#pragma once

#include "runtime/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace canopy::transport {

struct FaultPlan {
  uint64_t seed = 0;
  bool seeded = false;  // the text named the seed
  uint32_t delay = 0;
  bool reorder = false;
  uint32_t again = 0;
  uint32_t window = 256;
  uint64_t fail = 0;  // 0: never
  uint64_t drop = 0;
  uint64_t kill = 0;
  int only = -1;  // -1: everywhere

  // Errc::parse names the word that is none.
  static Result<FaultPlan> parse(std::string_view text);
  // What parse() reads back: the way to replay.
  std::string text() const;
  // Whether operations may stay here for a while.
  bool holds() const { return delay != 0 || reorder; }
};

// A short sequence of random numbers (splitmix64), the same everywhere for the same seed.
class FaultRandom {
 public:
  explicit FaultRandom(uint64_t seed) : state_(seed) {}
  uint64_t next();
  // 0 to bound - 1. REQUIRES: bound > 0.
  uint64_t below(uint64_t bound) { return next() % bound; }

 private:
  uint64_t state_;
};

}  // namespace canopy::transport
