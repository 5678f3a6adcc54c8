// The machine nobody described: it fits the host at hand. Every figure is a placeholder.
#include "topology/model/auto_machine.h"

#include "topology/model/host_memory.h"
#include "topology/model/spec_file.h"

#include <algorithm>

namespace canopy::topology {
namespace {
constexpr int kNpus = 8;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kHbmStep = 64 * kMiB;
constexpr uint64_t kHbmLeast = 256 * kMiB;
}  // namespace

Npu placeholder_npu(int id) {
  Npu npu;
  npu.id = id;
  npu.soc = "CanopyNPU";
  npu.cube_cores = 24;
  npu.vector_cores = 48;
  npu.aicpu_cores = 6;
  npu.hbm_bytes = kHbmLeast;
  npu.l2_bytes = 192 * kMiB;
  npu.ub_bytes = 192 * 1024;
  npu.pci_bus_id = generated_bus_id(id);
  return npu;
}

std::string generated_bus_id(int id) { return fmt::format("0100:{:02x}:00.0", id + 1); }

uint64_t auto_hbm_bytes(uint64_t host_bytes) {
  uint64_t share = host_bytes / 2 / kNpus;
  return std::max(share / kHbmStep * kHbmStep, kHbmLeast);
}

Machine auto_machine() {
  uint64_t hbm_bytes = auto_hbm_bytes(usable_memory().bytes);
  std::vector<Npu> npus;
  std::vector<Link> links;
  for (int from = 0; from < kNpus; ++from) {
    npus.push_back(placeholder_npu(from));
    npus.back().hbm_bytes = hbm_bytes;
    for (int to = 0; to < kNpus; ++to) {
      Link link;
      link.link_class = from == to ? LinkClass::self : LinkClass::hccs;
      link.path = PeerPath::direct;
      link.bandwidth_MBps = from == to ? 0 : 28000;
      link.latency_ns = from == to ? 0 : 1500;
      links.push_back(link);
    }
  }
  return Machine("auto", "built in", std::move(npus), std::move(links));
}

}  // namespace canopy::topology
