// P2pRoute: memory on two devices, and the two ways for bytes from one to the other. Its life: made
// for a pair and a size, the source filled; copied any number of times in either way; the target
// spoilt before, and checked after, a run of copies. Not thread-safe.
#pragma once

#include "launcher/cli/acl_owner.h"

#include <cstdint>

namespace canopy::cli {

enum class P2pWay {
  by_host,  // to pinned host memory on a stream of the source, on to the target on one of its own
  direct    // one copy on a stream of the source; needs peer access, unless both are one device
};

class P2pRoute {
 public:
  // `staging` is `bytes` of pinned memory, for this route alone while it lives. `seed` tells its
  // data from that of others.
  static Result<P2pRoute> create(int src, int dst, uint64_t bytes, void* staging, uint64_t seed);

  int src() const { return src_; }
  int dst() const { return dst_; }

  // Queues one copy.
  Result<> post(P2pWay way);
  // Until what was posted has arrived.
  Result<> wait(P2pWay way);
  // Fills the target with something else.
  Result<> spoil();
  // The target's bytes are those of the source. Error: internal, with the place.
  Result<> check();
  // A copy between the two is refused as the interface says where access is not enabled (207006).
  Result<> expect_refusal();

 private:
  P2pRoute() = default;
  uint64_t wanted(uint64_t place) const;

  int src_ = 0;
  int dst_ = 0;
  uint64_t bytes_ = 0;
  uint64_t seed_ = 0;
  DeviceMemory from_;
  DeviceMemory to_;
  uint8_t* staging_ = nullptr;
  OwnedStream src_stream_;
  OwnedStream dst_stream_;
  OwnedEvent staged_;
};

}  // namespace canopy::cli
