// Rail: a further network beside the first, in one life of it: it is opened, carries stripes, may
// fail, and then is halted; what opens later at the same interface is another Rail.
#pragma once

#include "transport/base/transport.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace canopy::transport::rails {

struct Rail {
  Rail(std::string name_of_it, std::unique_ptr<Transport> over)
      : name(std::move(name_of_it)), transport(std::move(over)) {}

  const std::string name;  // for people: its address here
  // Null when it has been halted or closed, which only who called RailedTransport::retire() may do.
  std::unique_ptr<Transport> transport;
  // Nothing new goes over it. Relaxed: contexts look while they hold their mutex, which retire()
  // takes after it was set.
  std::atomic<bool> failed{false};
};
using RailPtr = std::shared_ptr<Rail>;

// A rail that reaches a peer, and the regions of the peer that it reaches.
struct Way {
  RailPtr rail;
  std::vector<RegionId> regions;  // sorted
};

// Sizes and times of striping; the defaults are what was measured (README.md).
struct StripeOptions {
  size_t least_bytes = size_t{512} << 10;  // what is smaller goes over the first rail alone
  size_t smallest_chunk = size_t{128} << 10;
  size_t largest_chunk = size_t{1} << 20;
  // A rail on which nothing of what was posted has arrived for so long has failed.
  uint64_t silence_ns = 2'000'000'000;
};

}  // namespace canopy::transport::rails
