// What it costs to move bytes between the devices of this process: each pair without peer access
// (by way of pinned host memory, as a program has to without it) and with it.
//
// Written against the acl interface, as a program of a user's would be. One thread; brings the
// runtime up and down.
#pragma once

#include "runtime/base/result.h"
#include "topology/model/machine.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace canopy::cli {

inline constexpr uint64_t kLatencyBytes = 8;

struct P2pPlan {
  std::vector<int> devices;     // empty: all
  std::vector<uint64_t> sizes;  // of the copies whose rate is measured, each at least kLatencyBytes
  int iterations = 5;           // copies per rate; the median counts
  int latency_iterations = 200;
  bool both_ways = false;  // also the rates of two copies at once, there and back
};

// Without peer access, and with it. Nothing where it was not measured: access is refused, or a
// device is its own peer and needs none (`on` only).
struct P2pFigure {
  std::optional<double> off;
  std::optional<double> on;
};

struct P2pPair {
  int src = 0;  // device ids
  int dst = 0;
  topology::Link link;
  std::vector<P2pFigure> one_way_GBps;    // by size
  std::vector<P2pFigure> both_ways_GBps;  // by size, the sum of both; empty when not asked for
  P2pFigure latency_us;  // from the call until the host knows that the bytes have arrived
};

struct P2pMatrix {
  std::string machine;
  P2pPlan plan;                // with its devices spelt out
  std::vector<P2pPair> pairs;  // row-major, the source is the row
};

// `progress` gets the number of pairs that are done, and of all, before each pair. Every copy's
// bytes are checked at the target. Errors: out_of_range, a device that is not there or named twice;
// otherwise what failed, with the two devices, in the runtime's own words.
Result<P2pMatrix> measure_p2p(P2pPlan plan, const std::function<void(size_t, size_t)>& progress);

}  // namespace canopy::cli
