#include "topology/discover/discover.h"

#include "topology/discover/hwloc_links.h"
#include "topology/discover/hwloc_tree.h"
#include "topology/model/auto_machine.h"
#include "topology/model/spec_file.h"

#include <charconv>
#include <optional>
#include <set>
#include <string_view>

namespace canopy::topology {
namespace {
constexpr uint64_t kHbmGranule = uint64_t{2} << 20;
constexpr uint64_t kMostKb = uint64_t{16} << 30;

// "67108864 kB"
std::optional<uint64_t> parse_kilobytes(std::string_view text) {
  uint64_t kilobytes = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), kilobytes);
  if (error != std::errc() || text.substr(static_cast<size_t>(end - text.data())) != " kB" ||
      kilobytes > kMostKb) {
    return std::nullopt;
  }
  return kilobytes * 1024;
}

Result<Npu> describe_npu(const HwlocTree& tree, hwloc_obj_t device, int id, uint64_t usual_hbm) {
  Npu npu = placeholder_npu(id);  // hwloc knows neither core counts nor caches of an NPU
  if (const char* model = hwloc_obj_get_info_by_name(device, "NPUModel")) {
    npu.soc = model;
  }
  npu.hbm_bytes = usual_hbm;
  if (const char* memory = hwloc_obj_get_info_by_name(device, "NPUMemory")) {
    auto bytes = parse_kilobytes(memory);
    if (!bytes || *bytes < kHbmGranule) {
      return fail(Errc::parse,
                  "{}: {}: NPUMemory is \"{}\", must be 2048 to {} followed by \" kB\"",
                  tree.host().source, device->name, memory, kMostKb);
    }
    npu.hbm_bytes = *bytes / kHbmGranule * kHbmGranule;
  }
  if (std::string bus_id = bus_id_of(device); !bus_id.empty()) {
    npu.pci_bus_id = std::move(bus_id);
  }
  npu.numa_node = numa_node_of(device);
  if (hwloc_obj_t nic = tree.nearest_nic(device)) {
    npu.nic = nic->name;
  }
  return npu;
}

Result<Machine> discover_machine(const std::string& xml_path) {
  CANOPY_ASSIGN(Discovered found, discover(xml_path));
  return std::move(found.machine);
}

}  // namespace

Result<HostFacts> discover_host(const std::string& xml_path) {
  CANOPY_ASSIGN(HwlocTree tree, HwlocTree::load(xml_path, IoObjects::skip));
  return tree.host();
}

Result<Discovered> discover(const std::string& xml_path) {
  CANOPY_ASSIGN(HwlocTree tree, HwlocTree::load(xml_path, IoObjects::keep_all));
  CANOPY_ASSIGN(std::vector<hwloc_obj_t> devices, tree.npus());
  Discovered found;
  found.host = tree.host();
  if (devices.empty()) {
    return fail(Errc::no_device,
                "{}: describes no NPU (an OS device of type CoProc named npu0, npu1, ...); use "
                "'auto' or a spec file, or name an hwloc XML export of a machine that has some",
                found.host.source);
  }
  if (devices.size() > static_cast<size_t>(kMaxNpus)) {
    return fail(Errc::limit, "{}: describes {} NPUs, the limit is {}", found.host.source,
                devices.size(), kMaxNpus);
  }
  uint64_t usual_hbm = auto_hbm_bytes(found.host.memory_bytes);
  std::vector<Npu> npus;
  std::set<std::string> bus_ids;
  for (hwloc_obj_t device : devices) {
    CANOPY_ASSIGN(Npu npu, describe_npu(tree, device, static_cast<int>(npus.size()), usual_hbm));
    if (!bus_ids.insert(npu.pci_bus_id).second) {
      npu.pci_bus_id = generated_bus_id(npu.id);  // the second die of one PCI function
    }
    npus.push_back(std::move(npu));
    found.places.push_back({device->name, near_cpus_of(device)});
  }
  found.machine = Machine("hwloc", found.host.source, std::move(npus), hwloc_links(tree, devices));
  return found;
}

void register_hwloc_discovery() { set_discovery(&discover_machine); }

}  // namespace canopy::topology
