// Plugins of other builds: whoever calls them has not looked.
#include "transport/base/plugin.h"

#include <cstdlib>

namespace {

#ifdef EARLIER_TABLE
struct {
  uint32_t version = 1;
  uint32_t transport_bytes = 8;
  uint32_t region_bytes = 48;
  void (*open)() = std::abort;
} table;
#else
canopy::Result<canopy::transport::Network> called(const canopy::transport::NetworkWish&) { std::abort(); }

const canopy::transport::PluginTable table{
    .version = canopy::transport::kPluginVersion, .build = "0.0.0-another", .open = called};
#endif

}  // namespace

extern "C" __attribute__((visibility("default"))) const void* canopy_network_plugin() { return &table; }
