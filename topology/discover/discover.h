// Discovery by hwloc: what the host is made of, and the NPUs that hwloc describes (OS devices of
// type CoProc named "npuK", joined by the distance matrices "HCCSBandwidth" and "HCCSLatency").
//
// For tools only. The runtime does not link this layer: discovering I/O objects walks the PCI bus
// and must not lie on anybody's init path. Thread-safe: every call loads a topology of its own.
#pragma once

#include "runtime/base/result.h"
#include "topology/model/machine.h"

#include <cstdint>
#include <string>
#include <vector>

namespace canopy::topology {

struct HostFacts {
  std::string source;       // "hwloc", or "hwloc file FILE"
  bool this_system = true;  // false: read from a file
  int packages = 0;
  int numa_nodes = 0;
  int cores = 0;
  int threads = 0;  // hardware threads
  uint64_t memory_bytes = 0;
};

// Where hwloc found an NPU; `Machine` holds what the runtime needs of it.
struct NpuPlace {
  std::string os_name;    // "npu4"; ids of a Machine are dense, names need not be
  std::string near_cpus;  // hwloc's list form, "0-47"
};

struct Discovered {
  HostFacts host;
  Machine machine;
  std::vector<NpuPlace> places;  // by NPU id
};

// The host without its I/O objects: a few milliseconds. `xml_path` is an hwloc XML export, "" means
// HWLOC_XMLFILE if set, else this host. Errors: not_found, parse.
Result<HostFacts> discover_host(const std::string& xml_path);

// The host with all I/O objects, and its NPUs. Errors: as above; no_device when hwloc describes no
// NPU. What hwloc does not tell (core counts) is a placeholder.
Result<Discovered> discover(const std::string& xml_path);

// Makes "hwloc" and "hwloc:FILE" work as spec values of this process (set_discovery). Call once,
// early.
void register_hwloc_discovery();

}  // namespace canopy::topology
