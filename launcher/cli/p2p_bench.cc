#include "launcher/cli/p2p_bench.h"

#include "launcher/cli/acl_owner.h"
#include "launcher/cli/p2p_route.h"
#include "runtime/base/clock.h"
#include "runtime/driver/driver.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

namespace canopy::cli {
namespace {

double median(std::vector<double> samples) {
  const auto middle = samples.begin() + static_cast<ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

Result<> copy_once(std::span<P2pRoute> routes, P2pWay way) {
  for (P2pRoute& route : routes) {
    CANOPY_TRY(route.post(way));
  }
  for (P2pRoute& route : routes) {
    CANOPY_TRY(route.wait(way));
  }
  return {};
}

// Median time of a copy over all routes at once, in ns. The target is spoilt behind the unmeasured
// first copy, so that what is checked at the end came with the measured ones.
Result<double> time_copies(std::span<P2pRoute> routes, P2pWay way, int count) {
  CANOPY_TRY(copy_once(routes, way));
  for (P2pRoute& route : routes) {
    CANOPY_TRY(route.spoil());
  }
  std::vector<double> samples;
  for (int i = 0; i < count; ++i) {
    const uint64_t start = monotonic_ns();
    CANOPY_TRY(copy_once(routes, way));
    samples.push_back(static_cast<double>(monotonic_ns() - start));
  }
  for (P2pRoute& route : routes) {
    CANOPY_TRY(route.check());
  }
  return median(std::move(samples));
}

// Peer access from one device to another, for as long as this lives.
class Access {
 public:
  static Result<Access> enable(int device, int peer) {
    CANOPY_TRY(acl_ok(aclrtSetDevice(device), "aclrtSetDevice"));
    CANOPY_TRY(acl_ok(aclrtDeviceEnablePeerAccess(peer, 0), "aclrtDeviceEnablePeerAccess"));
    return Access(device, peer);
  }
  Access(Access&& other) noexcept : device_(other.device_), peer_(std::exchange(other.peer_, -1)) {}
  Access& operator=(Access&&) = delete;
  ~Access() {
    if (peer_ >= 0) {
      const Silence silence;
      aclrtSetDevice(device_);
      aclrtDeviceDisablePeerAccess(peer_);
    }
  }

 private:
  Access(int device, int peer) : device_(device), peer_(peer) {}
  int device_;
  int peer_;
};

Result<bool> can_access(int src, int dst) {
  int32_t can = 0;
  CANOPY_TRY(acl_ok(aclrtDeviceCanAccessPeer(&can, src, dst), "aclrtDeviceCanAccessPeer"));
  return can != 0;
}

// Without peer access and with it, in ns. All routes are between the same two devices.
Result<P2pFigure> time_off_and_on(std::span<P2pRoute> routes, int count) {
  P2pFigure figure;
  const int src = routes[0].src();
  const int dst = routes[0].dst();
  if (src == dst) {
    CANOPY_ASSIGN(figure.off, time_copies(routes, P2pWay::direct, count));
    return figure;
  }
  CANOPY_TRY(routes[0].expect_refusal());
  CANOPY_ASSIGN(figure.off, time_copies(routes, P2pWay::by_host, count));
  CANOPY_ASSIGN(const bool can, can_access(src, dst));
  if (can) {
    std::vector<Access> access;
    for (P2pRoute& route : routes) {  // each copy is pushed by its source
      CANOPY_ASSIGN(Access enabled, Access::enable(route.src(), route.dst()));
      access.push_back(std::move(enabled));
    }
    CANOPY_ASSIGN(figure.on, time_copies(routes, P2pWay::direct, count));
  }
  return figure;
}

// What `convert` makes of the figures that are there.
template <class Convert>
P2pFigure converted(const P2pFigure& figure, Convert convert) {
  const auto of = [&](std::optional<double> value) {
    return value ? std::optional<double>(convert(*value)) : std::nullopt;
  };
  return {of(figure.off), of(figure.on)};
}

// Pinned memory for a route there and one back, used for all pairs in turn.
struct Staging {
  PinnedMemory there;
  PinnedMemory back;
};

Result<P2pFigure> measure_rate(const P2pPair& pair, uint64_t bytes, int count, bool both_ways,
                               const Staging& staging) {
  std::vector<P2pRoute> routes;
  CANOPY_ASSIGN(P2pRoute there,
                P2pRoute::create(pair.src, pair.dst, bytes, staging.there.get(), 1));
  routes.push_back(std::move(there));
  if (both_ways) {
    CANOPY_ASSIGN(P2pRoute back,
                  P2pRoute::create(pair.dst, pair.src, bytes, staging.back.get(), 2));
    routes.push_back(std::move(back));
  }
  CANOPY_ASSIGN(const P2pFigure ns, time_off_and_on(routes, count));
  const auto moved = static_cast<double>(bytes * routes.size());
  return converted(ns, [&](double time) { return moved / time; });  // bytes per ns are GB/s
}

Result<P2pPair> measure_pair(const topology::Machine& machine, const P2pPlan& plan,
                             const Staging& staging, int src, int dst) {
  P2pPair pair{.src = src, .dst = dst, .link = machine.link(src, dst)};
  for (const uint64_t bytes : plan.sizes) {
    CANOPY_ASSIGN(P2pFigure figure, measure_rate(pair, bytes, plan.iterations, false, staging));
    pair.one_way_GBps.push_back(figure);
    if (plan.both_ways) {
      CANOPY_ASSIGN(figure, measure_rate(pair, bytes, plan.iterations, true, staging));
      pair.both_ways_GBps.push_back(figure);
    }
  }
  CANOPY_ASSIGN(P2pRoute route, P2pRoute::create(src, dst, kLatencyBytes, staging.there.get(), 3));
  CANOPY_ASSIGN(const P2pFigure ns, time_off_and_on({&route, 1}, plan.latency_iterations));
  pair.latency_us = converted(ns, [](double time) { return time / 1e3; });
  return pair;
}

Result<> choose_devices(const Driver& driver, std::vector<int>& devices) {
  const topology::Machine& machine = driver.machine();
  if (machine.count() == 0) {
    return fail(Errc::out_of_range, "there is no device to measure: {}", driver.describe_machine());
  }
  if (devices.empty()) {
    devices.resize(static_cast<size_t>(machine.count()));
    std::iota(devices.begin(), devices.end(), 0);
  }
  for (size_t i = 0; i < devices.size(); ++i) {
    if (devices[i] < 0 || devices[i] >= machine.count()) {
      return fail(Errc::out_of_range, "device {}: there are {}, of {}", devices[i], machine.count(), driver.describe_machine());
    }
    if (std::count(devices.begin(), devices.end(), devices[i]) > 1) {
      return fail(Errc::out_of_range, "device {} is named twice", devices[i]);
    }
  }
  return {};
}

}  // namespace

Result<P2pMatrix> measure_p2p(P2pPlan plan, const std::function<void(size_t, size_t)>& progress) {
  CANOPY_ASSIGN(const AclSession session, AclSession::open());
  CANOPY_ASSIGN(Driver * driver, Driver::current());
  const topology::Machine& machine = driver->machine();
  CANOPY_TRY(choose_devices(*driver, plan.devices));
  uint64_t most = kLatencyBytes;
  for (const uint64_t bytes : plan.sizes) {
    most = std::max(most, bytes);
  }
  CANOPY_TRY(acl_ok(aclrtSetDevice(plan.devices[0]), "aclrtSetDevice"));  // pinned memory needs one
  Staging staging;
  CANOPY_ASSIGN(staging.there, pinned_memory(most));
  CANOPY_ASSIGN(staging.back, pinned_memory(plan.both_ways ? most : kLatencyBytes));
  P2pMatrix matrix{machine.name(), plan, {}};
  const size_t all = plan.devices.size() * plan.devices.size();
  for (const int src : plan.devices) {
    for (const int dst : plan.devices) {
      progress(matrix.pairs.size(), all);
      auto pair = measure_pair(machine, plan, staging, src, dst);
      if (!pair) {
        return fail(pair.error().code, "device {} to device {}: {}", src, dst, error_text::take_newest());
      }
      matrix.pairs.push_back(std::move(*pair));
    }
  }
  return matrix;
}

}  // namespace canopy::cli
