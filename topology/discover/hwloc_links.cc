#include "topology/discover/hwloc_links.h"

#include "topology/model/spec_links.h"

#include <algorithm>
#include <limits>

#include <hwloc/distances.h>

namespace canopy::topology {
namespace {

// One named matrix of hwloc, by position in `npus`; 0 where it says nothing.
std::vector<uint64_t> named_matrix(const HwlocTree& tree, const std::vector<hwloc_obj_t>& npus,
                                   const char* name) {
  std::vector<uint64_t> values(npus.size() * npus.size());
  unsigned count = 1;
  hwloc_distances_s* matrix = nullptr;
  if (hwloc_distances_get_by_name(tree.get(), name, &count, &matrix, 0) != 0 || count == 0) {
    return values;  // not described: the caller falls back to PCI
  }
  std::vector<int> position(matrix->nbobjs);  // of each object of the matrix; -1 if no NPU of ours
  for (unsigned i = 0; i < matrix->nbobjs; ++i) {
    auto at = std::find(npus.begin(), npus.end(), matrix->objs[i]);
    position[i] = at == npus.end() ? -1 : static_cast<int>(at - npus.begin());
  }
  for (unsigned from = 0; from < matrix->nbobjs; ++from) {
    for (unsigned to = 0; to < matrix->nbobjs; ++to) {
      if (position[from] >= 0 && position[to] >= 0) {
        values[static_cast<size_t>(position[from]) * npus.size() +
               static_cast<size_t>(position[to])] = matrix->values[from * matrix->nbobjs + to];
      }
    }
  }
  hwloc_distances_release(tree.get(), matrix);
  return values;
}

LinkClass class_on_pci(Shared shared) {
  switch (shared) {
    case Shared::device:
      return LinkClass::sio;  // two OS devices of one PCI function: dies of one package
    case Shared::pci_switch:
      return LinkClass::pix;
    case Shared::host_bridge:
    case Shared::numa_node:  // another root port of the same socket: still no trip between sockets
      return LinkClass::phb;
    case Shared::machine:
      break;
  }
  return LinkClass::sys;
}

}  // namespace

std::vector<Link> hwloc_links(const HwlocTree& tree, const std::vector<hwloc_obj_t>& npus) {
  size_t count = npus.size();
  std::vector<uint64_t> bandwidth = named_matrix(tree, npus, "HCCSBandwidth");
  std::vector<uint64_t> latency = named_matrix(tree, npus, "HCCSLatency");
  std::vector<Link> links = self_links(static_cast<int>(count));
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = a + 1; b < count; ++b) {
      size_t there = a * count + b;
      size_t back = b * count + a;
      Link link;
      link.bandwidth_MBps = std::min(bandwidth[there], bandwidth[back]);
      if (link.bandwidth_MBps > 0) {
        link.link_class = LinkClass::hccs;
        uint64_t slowest = std::max(latency[there], latency[back]);
        link.latency_ns = static_cast<uint32_t>(
            std::min<uint64_t>(slowest, std::numeric_limits<uint32_t>::max()));
      } else {
        link.link_class = class_on_pci(shared_by(npus[a], npus[b]));
      }
      link.path = default_path(link.link_class);
      links[there] = links[back] = link;
    }
  }
  return links;
}

}  // namespace canopy::topology
