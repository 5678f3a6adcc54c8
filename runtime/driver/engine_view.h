// EngineView: what the engines of another process's devices are doing, read from its file of statistics
// (device/engine_stats.h) without its help. The process pays two looks at the cycle counter per block
// while it is watched, and nothing else.
//
// Single-threaded. The process may end at any time; what it has left stays readable here.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/driver/host_table.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace canopy {

// Busy ticks so far.
struct EngineReading {
  int host_device = -1;
  uint64_t at = 0;  // ticks()
  uint32_t vector_cores = 0;
  uint32_t aicpu_cores = 0;
  std::vector<uint64_t> cores;  // vector cores, then cube cores
  uint64_t aicpu = 0;
  uint64_t dma = 0;
};

// Shares of a time: 1 is a kind's cores all the time, of copies one copy engine's. Other processes add theirs.
struct EngineShares {
  double cube = 0;
  double vector = 0;
  double aicpu = 0;
  double dma = 0;
};
EngineShares shares_between(const EngineReading& before, const EngineReading& after);

class EngineView {
 public:
  // Nothing: it has no device open yet, or cannot be reached: another user's, or in another pid namespace.
  static std::optional<EngineView> open(const HostOwner& owner);

  // The clocks of cores run for us until `until_ns` (monotonic_ns()) and beyond, until somebody leaves whose time is over.
  void watch(uint64_t until_ns);
  void leave();
  // Of every device that it has opened, closed ones included; counts what runs from the first call on.
  std::vector<EngineReading> read();

 private:
  explicit EngineView(Mapping map) : map_(std::move(map)) {}
  Mapping map_;
};

}  // namespace canopy
