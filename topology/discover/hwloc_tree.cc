#include "topology/discover/hwloc_tree.h"

#include "runtime/base/env.h"
#include "topology/model/host_memory.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

#include <unistd.h>

namespace canopy::topology {
namespace {

// K of "npuK".
std::optional<unsigned> npu_number(hwloc_obj_t object) {
  constexpr std::string_view kPrefix = "npu";
  std::string_view name = object->name ? object->name : "";
  if (object->attr->osdev.type != HWLOC_OBJ_OSDEV_COPROC || !name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  name.remove_prefix(kPrefix.size());
  unsigned number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) {
    return std::nullopt;
  }
  return number;
}

// The first object that is not I/O above `object`: hwloc hangs I/O below the CPUs it is near to.
hwloc_obj_t non_io_parent(hwloc_obj_t object) {
  while (object && hwloc_obj_type_is_io(object->type)) {
    object = object->parent;
  }
  return object;
}

bool is_nic(hwloc_obj_t object) {
  return object->attr->osdev.type == HWLOC_OBJ_OSDEV_OPENFABRICS ||
         object->attr->osdev.type == HWLOC_OBJ_OSDEV_NETWORK;
}

}  // namespace

Result<HwlocTree> HwlocTree::load(const std::string& xml_path, IoObjects io) {
  // hwloc itself ignores an HWLOC_XMLFILE that it cannot read; the user should hear about it.
  std::string path = xml_path.empty() ? env::text("HWLOC_XMLFILE").value_or("") : xml_path;
  if (!path.empty() && access(path.c_str(), R_OK) != 0) {
    return fail_errno(Errc::not_found, errno, "hwloc file {}: cannot be read", path);
  }
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) {
    return fail_errno(Errc::no_memory, errno, "hwloc: cannot make a topology");
  }
  HwlocTree tree;
  tree.topology_.reset(raw);
  tree.source_ = path.empty() ? "hwloc" : "hwloc file " + path;
  if (!path.empty() && hwloc_topology_set_xml(raw, path.c_str()) != 0) {
    return fail_errno(Errc::parse, errno, "hwloc file {}: not an hwloc XML export", path);
  }
  // By default hwloc drops I/O objects; asking for them costs a walk over the PCI bus.
  hwloc_topology_set_io_types_filter(
      raw, io == IoObjects::keep_all ? HWLOC_TYPE_FILTER_KEEP_ALL : HWLOC_TYPE_FILTER_KEEP_NONE);
  if (hwloc_topology_load(raw) != 0) {
    return fail_errno(Errc::parse, errno, "{}: cannot be loaded", tree.source_);
  }
  return tree;
}

HostFacts HwlocTree::host() const {
  auto count = [&](hwloc_obj_type_t type) {
    return std::max(hwloc_get_nbobjs_by_type(get(), type), 0);
  };
  HostFacts facts;
  facts.source = source_;
  facts.this_system = hwloc_topology_is_thissystem(get()) == 1;
  facts.packages = count(HWLOC_OBJ_PACKAGE);
  facts.numa_nodes = count(HWLOC_OBJ_NUMANODE);
  facts.cores = count(HWLOC_OBJ_CORE);
  facts.threads = count(HWLOC_OBJ_PU);
  // Sums the NUMA nodes, which leaves out memory that was added later; of this host we know better.
  facts.memory_bytes =
      facts.this_system ? usable_memory().bytes : hwloc_get_root_obj(get())->total_memory;
  return facts;
}

Result<std::vector<hwloc_obj_t>> HwlocTree::npus() const {
  std::vector<hwloc_obj_t> found;
  for (hwloc_obj_t o = nullptr; (o = hwloc_get_next_osdev(get(), o)) != nullptr;) {
    if (npu_number(o)) {
      found.push_back(o);
    }
  }
  std::sort(found.begin(), found.end(),
            [](hwloc_obj_t a, hwloc_obj_t b) { return *npu_number(a) < *npu_number(b); });
  for (size_t i = 1; i < found.size(); ++i) {
    if (npu_number(found[i]) == npu_number(found[i - 1])) {
      return fail(Errc::parse, "{}: two OS devices have the number of {}", source_, found[i]->name);
    }
  }
  return found;
}

hwloc_obj_t HwlocTree::nearest_nic(hwloc_obj_t device) const {
  // An RDMA port beats an ordinary interface at the same distance; else the first one found stays.
  auto rank = [&](hwloc_obj_t nic) {
    return std::pair(shared_by(device, nic), nic->attr->osdev.type != HWLOC_OBJ_OSDEV_OPENFABRICS);
  };
  const char* named = hwloc_obj_get_info_by_name(device, "NPURoCEPort");
  hwloc_obj_t best = nullptr;
  for (hwloc_obj_t o = nullptr; (o = hwloc_get_next_osdev(get(), o)) != nullptr;) {
    if (!is_nic(o) || !o->name) {
      continue;
    }
    if (named && std::string_view(named) == o->name) {
      return o;
    }
    if (!best || rank(o) < rank(best)) {
      best = o;
    }
  }
  return best;
}

Shared shared_by(hwloc_obj_t a, hwloc_obj_t b) {
  // hwloc's own common-ancestor search compares depths, which I/O objects do not have.
  std::vector<hwloc_obj_t> above;
  for (hwloc_obj_t o = a; o && hwloc_obj_type_is_io(o->type); o = o->parent) {
    above.push_back(o);
  }
  for (hwloc_obj_t o = b; o && hwloc_obj_type_is_io(o->type); o = o->parent) {
    if (std::find(above.begin(), above.end(), o) == above.end()) {
      continue;
    }
    if (o->type != HWLOC_OBJ_BRIDGE) {
      return Shared::device;
    }
    return o->attr->bridge.upstream_type == HWLOC_OBJ_BRIDGE_PCI ? Shared::pci_switch
                                                                 : Shared::host_bridge;
  }
  return numa_node_of(a) == numa_node_of(b) ? Shared::numa_node : Shared::machine;
}

int numa_node_of(hwloc_obj_t device) {
  hwloc_obj_t near = non_io_parent(device);
  return near && near->nodeset ? std::max(hwloc_bitmap_first(near->nodeset), 0) : 0;
}

std::string bus_id_of(hwloc_obj_t device) {
  for (hwloc_obj_t o = device; o; o = o->parent) {
    if (o->type == HWLOC_OBJ_PCI_DEVICE) {
      const auto& pci = o->attr->pcidev;
      return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", pci.domain, pci.bus, pci.dev, pci.func);
    }
  }
  return "";
}

std::string near_cpus_of(hwloc_obj_t device) {
  hwloc_obj_t near = non_io_parent(device);
  char* text = nullptr;
  if (!near || !near->cpuset || hwloc_bitmap_list_asprintf(&text, near->cpuset) < 0) {
    return "";
  }
  std::string list = text;
  free(text);
  return list;
}

}  // namespace canopy::topology
