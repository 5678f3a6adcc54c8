#include "launcher/cli/smi_load.h"

#include "runtime/base/clock.h"
#include "runtime/base/doorbell.h"
#include "runtime/driver/engine_view.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace canopy::cli {
namespace {

struct Watched {
  EngineView view;
  std::vector<EngineReading> before;
};

uint32_t percent(double share) { return static_cast<uint32_t>(std::lround(100 * std::min(1.0, share))); }

void wait_until_passed(uint64_t end_ns) {
  Doorbell nobody_rings;
  for (uint64_t now = monotonic_ns(); now < end_ns; now = monotonic_ns()) {
    nobody_rings.sleep(BellScope::process, std::chrono::nanoseconds(end_ns - now), [] { return true; });
  }
}

void add_shares(Watched& watched, std::array<EngineShares, kMaxDevices>* sums) {
  for (const EngineReading& after : watched.view.read()) {
    const auto before = std::find_if(watched.before.begin(), watched.before.end(),
                                     [&](const EngineReading& one) { return one.host_device == after.host_device; });
    if (before == watched.before.end()) {
      continue;  // opened meanwhile
    }
    const EngineShares shares = shares_between(*before, after);
    EngineShares& sum = (*sums)[static_cast<size_t>(after.host_device)];
    sum.cube += shares.cube;
    sum.vector += shares.vector;
    sum.aicpu += shares.aicpu;
    sum.dma += shares.dma;
  }
}

// Bit d: one of `closed`, who could not be looked into, has device d open. Who has gone since, or had only just begun, is no
// such one.
uint64_t hidden_devices(const HostView& view, const std::vector<HostOwner>& closed) {
  uint64_t hidden = 0;
  if (closed.empty()) {
    return hidden;
  }
  const std::vector<HostOwner> now = view.owners();
  for (const HostOwner& owner : closed) {
    const auto same = std::find_if(now.begin(), now.end(), [&](const HostOwner& one) { return one.pid == owner.pid; });
    if (same != now.end() && !EngineView::open(*same)) {
      hidden |= owner.open_devices;
    }
  }
  return hidden;
}

}  // namespace

void measure_load(const HostView& view, const std::vector<HostOwner>& owners, std::vector<SmiDevice>* devices) {
  std::vector<Watched> all;
  std::vector<HostOwner> closed;
  for (const HostOwner& owner : owners) {
    if (owner.open_devices == 0) {
      continue;
    }
    if (auto engines = EngineView::open(owner)) {
      all.push_back({std::move(*engines), {}});
    } else {
      closed.push_back(owner);
    }
  }
  std::array<EngineShares, kMaxDevices> sums{};
  if (!all.empty() || !closed.empty()) {
    const uint64_t end = monotonic_ns() + static_cast<uint64_t>(std::chrono::nanoseconds(kSmiWindow).count());
    for (Watched& watched : all) {
      watched.view.watch(end);
      watched.before = watched.view.read();
    }
    wait_until_passed(end);
    for (Watched& watched : all) {
      add_shares(watched, &sums);
      watched.view.leave();
    }
  }
  const uint64_t hidden = hidden_devices(view, closed);
  for (SmiDevice& device : *devices) {
    if ((hidden >> device.id & 1) == 0) {
      const EngineShares& sum = sums[static_cast<size_t>(device.id)];
      device.shares = SmiShares{percent(sum.cube), percent(sum.vector), percent(sum.aicpu), percent(sum.dma)};
    }
  }
}

}  // namespace canopy::cli
