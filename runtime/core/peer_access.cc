#include "runtime/core/peer_access.h"

namespace canopy {

bool PeerAccess::possible(const topology::Machine& machine, int device, int peer) {
  return machine.link(device, peer).path != topology::PeerPath::refused;
}

std::string PeerAccess::remedy(const topology::Machine& machine, int device, int peer) {
  if (possible(machine, device, peer) || possible(machine, peer, device)) {
    return "aclrtDeviceEnablePeerAccess has to come first";
  }
  return fmt::format("no peer access is possible: the link is '{}', and its path refused ({})",
                     topology::to_string(machine.link(device, peer).link_class), machine.name());
}

Result<> PeerAccess::enable(const topology::Machine& machine, int device, int peer) {
  const topology::Link& link = machine.link(device, peer);
  if (device == peer) {
    return fail(Errc::invalid_argument, "device {}: peer access needs two devices", device);
  }
  if (!possible(machine, device, peer)) {
    return fail(Errc::not_supported, "device {}: no peer access to device {}: the link is '{}', and its path refused ({})", device, peer,
                topology::to_string(link.link_class), machine.name());
  }
  // acq_rel: whoever finds access enabled also finds what was set up before.
  enabled_[static_cast<size_t>(device)].fetch_or(uint64_t{1} << peer, std::memory_order_acq_rel);
  return {};
}

Result<> PeerAccess::disable(int device, int peer) {
  const uint64_t bit = uint64_t{1} << peer;
  if ((enabled_[static_cast<size_t>(device)].fetch_and(~bit, std::memory_order_acq_rel) & bit) == 0) {
    return fail(Errc::invalid_argument, "device {}: peer access to device {} is not enabled", device, peer);
  }
  return {};
}

}  // namespace canopy
