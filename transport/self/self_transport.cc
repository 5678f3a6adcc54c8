#include "transport/self/self_transport.h"

namespace canopy::transport {

Result<std::span<std::byte>> SelfTransport::place_of(int peer, const PeerRegion& region) const {
  const auto memory = local_region(region.id);
  if (memory.empty()) {
    return fail(Errc::not_supported, "self: peer {}: region {} is not one of our own", peer,
                region.id);
  }
  if (memory.size() != region.bytes) {
    return fail(Errc::invalid_argument, "self: peer {}: region {} has {} bytes here, not {}", peer,
                region.id, memory.size(), region.bytes);
  }
  return memory;
}

Result<> SelfTransport::connect(int peer, std::string_view /*address*/,
                                std::span<const PeerRegion> regions) {
  for (const PeerRegion& region : regions) {
    CANOPY_TRY(place_of(peer, region));
  }
  for (const PeerRegion& region : regions) {
    add_window(peer, region.id, local_region(region.id));
  }
  return {};
}

}  // namespace canopy::transport
