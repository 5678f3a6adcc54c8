// The path to a peer on the same host whose regions are mapped into our address space. Mapping them
// - which is also the proof that the host is the same - is the work of the layer above: it owns the
// mappings, and must keep them as long as this object lives.
#pragma once

#include "transport/base/direct_transport.h"

namespace canopy::transport {

class MappedTransport final : public DirectTransport {
 public:
  MappedTransport() : DirectTransport("mapped") {}
  // Every region needs its `mapped_at`.
  Result<> connect(int peer, std::string_view address,
                   std::span<const PeerRegion> regions) override;

 private:
  Result<std::span<std::byte>> place_of(int peer, const PeerRegion& region) const override;
};

}  // namespace canopy::transport
