#include "transport/mapped/mapped_transport.h"

namespace canopy::transport {

Result<std::span<std::byte>> MappedTransport::place_of(int peer, const PeerRegion& region) const {
  if (region.mapped_at == nullptr) {
    return fail(Errc::not_supported,
                "mapped: region {} ({} bytes) of peer {} is not mapped into this process",
                region.id, region.bytes, peer);
  }
  return std::span<std::byte>(region.mapped_at, region.bytes);
}

Result<> MappedTransport::connect(int peer, std::string_view /*address*/,
                                  std::span<const PeerRegion> regions) {
  for (const PeerRegion& region : regions) {
    CANOPY_TRY(place_of(peer, region));
  }
  for (const PeerRegion& region : regions) {
    add_window(peer, region.id, {region.mapped_at, region.bytes});
  }
  return {};
}

}  // namespace canopy::transport
