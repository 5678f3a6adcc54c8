// The network plugin: libcanopy_ofi.so, the only part of Canopy that links libfabric. It is opened
// when the first operation leaves the host, because merely loading libfabric costs a process 0.2 s.
//
// Looked for at CANOPY_OFI_PLUGIN (a file), beside the library that this code is in, and in ../lib
// of that. Once open it stays: providers leave threads and exit handlers behind. Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "transport/base/transport.h"

#include <cstdint>
#include <memory>
#include <string>

namespace canopy::transport {

struct NetworkWish {
  std::string provider;   // "": the best that there is
  std::string interface;  // an address of this host, or a name; "": any
  bool bound = false;     // only a provider that uses that interface and no other
};

struct Network {
  std::unique_ptr<Transport> transport;
  std::string provider;  // what was chosen
};

// What a plugin exports. It and the library call each other's virtual functions, so both must come from the same
// sources and compiler: another build is refused. `version` is of this struct, and stays its first member.
inline constexpr uint32_t kPluginVersion = 2;
struct PluginTable {
  uint32_t version;
  const char* build;  // plugin_build(), of the plugin
  Result<Network> (*open)(const NetworkWish& wish);
};
// What tells builds from each other: a digest of the headers that both sides compile, and the compiler.
const char* plugin_build();
inline constexpr const char* kPluginSymbol = "canopy_network_plugin";
using PluginEntry = const PluginTable* (*)();

// Errors: not_supported, there is no plugin or it is of another build, with where it was looked for and
// what the loader says, or which build was found and which is wanted; else what opening the network says.
Result<Network> open_network_plugin(const NetworkWish& wish);

}  // namespace canopy::transport
