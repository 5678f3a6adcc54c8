// Which path two NPUs of a machine use, and why. Pure functions of their arguments: changing only
// the spec changes the answer. Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "topology/model/machine.h"

#include <optional>
#include <string>

namespace canopy::topology {

struct PathChoice {
  PeerPath path = PeerPath::refused;
  std::string reason;  // one or two sentences
};

// The path from NPU `from` to NPU `to`: what their link allows, or what `wanted` forces instead.
// Nothing can be forced between NPUs that have no link, nor is memory of the NPU itself ever staged
// or refused. Error: bad_device for an id outside the machine.
Result<PathChoice> choose_path(const Machine& machine, int from, int to,
                               std::optional<PeerPath> wanted = std::nullopt);

// Orders links from good to bad: by path, then link class, then bandwidth (not known counts as
// slowest), then latency. Less is better.
struct LinkCost {
  explicit LinkCost(const Link& link)
      : path(link.path),
        link_class(link.link_class),
        slowness(kScale / (link.bandwidth_MBps + 1)),
        latency_ns(link.latency_ns) {}
  auto operator<=>(const LinkCost&) const = default;

  // Large enough to tell 100 GB/s links 1 MB/s apart; thousands of them add up in 64 bits.
  static constexpr uint64_t kScale = uint64_t{1} << 50;
  PeerPath path;
  LinkClass link_class;
  uint64_t slowness;
  uint32_t latency_ns;
};

}  // namespace canopy::topology
