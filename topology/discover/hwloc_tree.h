// HwlocTree: owns one loaded hwloc topology, and answers the questions discovery has about it.
// Move-only; const calls are thread-safe. Internal to topology/discover: the only headers that show
// hwloc are those here.
#pragma once

#include "runtime/base/result.h"
#include "topology/discover/discover.h"

#include <memory>
#include <string>
#include <vector>

#include <hwloc.h>

namespace canopy::topology {

enum class IoObjects { skip, keep_all };

class HwlocTree {
 public:
  static Result<HwlocTree> load(const std::string& xml_path, IoObjects io);

  hwloc_topology_t get() const { return topology_.get(); }
  HostFacts host() const;
  // The OS devices "npuK" in the order of K. Error: parse when two have the same name.
  Result<std::vector<hwloc_obj_t>> npus() const;
  // The OS device of the NIC nearest to `device`; null when the host has none.
  hwloc_obj_t nearest_nic(hwloc_obj_t device) const;

 private:
  struct Destroy {
    void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
  };
  HwlocTree() = default;

  std::unique_ptr<hwloc_topology, Destroy> topology_;
  std::string source_;
};

// What two I/O objects share, nearest first.
enum class Shared { device, pci_switch, host_bridge, numa_node, machine };
Shared shared_by(hwloc_obj_t a, hwloc_obj_t b);

int numa_node_of(hwloc_obj_t device);          // OS index; 0 when hwloc does not know
std::string bus_id_of(hwloc_obj_t device);     // "dddd:bb:dd.f", "" when it is not on PCI
std::string near_cpus_of(hwloc_obj_t device);  // "0-47"

}  // namespace canopy::topology
