// The blocking forms of a context's operations, for callers that bring their way of waiting.
//
// A Wait calls ready() again and again, and returns once it was true (it may ask again after a
// yes); ready() progresses the context. It has no other way back, because the tickets lie in these functions' frames: who gives
// up at a deadline ends the job. Thread-safe.
#pragma once

#include "runtime/base/waiter.h"
#include "transport/base/transport.h"

namespace canopy::transport {

using Wait = FunctionRef<void(FunctionRef<bool()> ready)>;

// Source complete on return.
Result<> put(Context& context, const Target& to, const void* src, size_t nbytes, Wait wait);
// Operation complete on return.
Result<> get(Context& context, void* dst, const Target& from, size_t nbytes, Wait wait);
// Operation complete, at the target too, on return: the old value (0 for set).
Result<uint64_t> amo(Context& context, const Target& at, const Amo& operation, Wait wait);
// Posted on return.
Result<> signal(Context& context, const Target& at, const Signal& update, Wait wait);
// Remotely complete on return: everything this context posted to `peer` (or kAllPeers).
Result<> quiet(Context& context, int peer, Wait wait);

// Opens a region of a peer, which may have to be met first.
Result<> open_region(Transport& transport, int peer, const PeerRegion& region, Wait wait);
// All that was posted to the region is remotely complete on return, and nothing more can be. An
// error says only how that ended: but for not_found, the region is closed.
Result<> close_region(Transport& transport, int peer, RegionId id, Wait wait);

// Calls post() until it is not refused with Errc::again, and returns its result.
template <class Post>
Result<> post_patiently(Context& context, Wait wait, Post&& post) {
  Result<> result = post();
  const auto refused = [&] { return !result && result.error().code == Errc::again; };
  if (refused()) [[unlikely]] {
    wait([&] {
      // A wait may ask once more after a yes, and what was posted must not be posted again.
      if (refused()) {
        context.progress();
        result = post();
      }
      return !refused();
    });
  }
  return result;
}

}  // namespace canopy::transport
