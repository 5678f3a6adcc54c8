#include "transport/mapped/mapped_transport.h"

namespace canopy::transport {

Result<> MappedTransport::connect(int peer, std::string_view /*address*/,
                                  std::span<const PeerRegion> regions) {
  for (const PeerRegion& region : regions) {
    if (region.mapped_at == nullptr) {
      return fail(Errc::not_supported,
                  "mapped: region {} ({} bytes) of peer {} is not mapped into this process",
                  region.id, region.bytes, peer);
    }
  }
  for (const PeerRegion& region : regions) {
    add_window(peer, region.id, {region.mapped_at, region.bytes});
  }
  return {};
}

}  // namespace canopy::transport
