// What libcanopy_ofi.so exports.
#include "transport/base/plugin.h"
#include "transport/ofi/ofi_transport.h"

namespace canopy::transport::ofi {
namespace {

Result<Network> open(const NetworkWish& wish) {
  CANOPY_ASSIGN(auto transport, OfiTransport::open({wish.provider, wish.interface, wish.bound}));
  std::string provider(transport->provider());
  return Network{std::move(transport), std::move(provider)};
}

const PluginTable kTable{.version = kPluginVersion, .build = plugin_build(), .open = open};

}  // namespace
}  // namespace canopy::transport::ofi

extern "C" __attribute__((visibility("default"))) const canopy::transport::PluginTable*
canopy_network_plugin() {
  return &canopy::transport::ofi::kTable;
}
