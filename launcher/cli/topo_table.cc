#include "launcher/cli/topo_table.h"

#include "launcher/cli/columns.h"
#include "launcher/cli/command.h"
#include "topology/route/ring.h"

#include <map>
#include <numeric>
#include <tuple>

#include <fmt/format.h>

namespace canopy::cli {
namespace {
using topology::Link;
using topology::LinkClass;
using topology::Machine;
using topology::Npu;
using topology::PeerPath;

std::string plural(int count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string heading(const TopoView& view) {
  const Machine& machine = view.machine;
  std::string text = fmt::format("machine '{}': {}, from {} ({})\n", machine.name(),
                                 plural(machine.count(), "NPU"), machine.source(), view.chosen_by);
  uint64_t hbm_bytes = 0;
  for (int id = 0; id < machine.count(); ++id) {
    hbm_bytes += machine.npu(id).hbm_bytes;
  }
  if (!view.host) {
    return text + "host: not known, hwloc failed\n";
  }
  const topology::HostFacts& host = *view.host;
  text += fmt::format("host: {}, {}, {}, {}, {} of memory, from {}{}\n",
                      plural(host.packages, "package"), plural(host.numa_nodes, "NUMA node"),
                      plural(host.cores, "core"), plural(host.threads, "hardware thread"),
                      readable_bytes(host.memory_bytes), host.source,
                      host.this_system ? "" : " (another machine)");
  if (hbm_bytes > host.memory_bytes) {
    text += fmt::format(
        "note: all HBM together is {}, more than the host has; HBM costs memory only where it is "
        "touched\n",
        readable_bytes(hbm_bytes));
  }
  return text;
}

std::string npu_table(const TopoView& view) {
  std::vector<std::vector<std::string>> rows = {
      {"NPU", "SoC", "cube", "vector", "AI CPU", "HBM", "L2", "UB", "bus id", "NUMA", "NIC"}};
  if (!view.places.empty()) {
    rows[0].insert(rows[0].end(), {"hwloc name", "near CPUs"});
  }
  for (int id = 0; id < view.machine.count(); ++id) {
    const Npu& npu = view.machine.npu(id);
    std::string mark = npu.placeholder ? "*" : "";
    rows.push_back({std::to_string(npu.id), npu.soc, std::to_string(npu.cube_cores) + mark,
                    std::to_string(npu.vector_cores) + mark, std::to_string(npu.aicpu_cores) + mark,
                    readable_bytes(npu.hbm_bytes) + mark,
                    npu.l2_bytes == 0 ? "-" : readable_bytes(npu.l2_bytes) + mark,
                    readable_bytes(npu.ub_bytes) + mark, npu.pci_bus_id,
                    std::to_string(npu.numa_node), npu.nic.empty() ? "-" : npu.nic});
    if (!view.places.empty()) {
      const auto& place = view.places[static_cast<size_t>(id)];
      rows.back().insert(rows.back().end(), {place.os_name, place.near_cpus});
    }
  }
  return aligned(rows);
}

std::string_view path_letter(PeerPath path) {
  return path == PeerPath::direct ? "d" : path == PeerPath::staged ? "s" : "-";
}

std::string link_matrix(const Machine& machine) {
  std::vector<std::vector<std::string>> rows(1, {""});
  for (int from = 0; from < machine.count(); ++from) {
    rows[0].push_back(fmt::format("npu{}", from));
    std::vector<std::string> row = {fmt::format("npu{}", from)};
    for (int to = 0; to < machine.count(); ++to) {
      const Link& link = machine.link(from, to);
      row.push_back(from == to
                        ? "self"
                        : fmt::format("{}:{}", to_string(link.link_class), path_letter(link.path)));
    }
    rows.push_back(std::move(row));
  }
  return aligned(rows);
}

std::string figure(uint64_t value, std::string_view unit, bool placeholder) {
  return value == 0 ? "not known" : fmt::format("{} {}{}", value, unit, placeholder ? "*" : "");
}

std::string link_kinds(const Machine& machine) {
  using Kind = std::tuple<PeerPath, LinkClass, uint64_t, uint32_t, bool>;
  std::map<Kind, int> kinds;
  for (int from = 0; from < machine.count(); ++from) {
    for (int to = from + 1; to < machine.count(); ++to) {
      const Link& l = machine.link(from, to);
      ++kinds[{l.path, l.link_class, l.bandwidth_MBps, l.latency_ns, l.placeholder}];
    }
  }
  if (kinds.empty()) {
    return "";
  }
  std::vector<std::vector<std::string>> rows = {
      {"link class", "path", "bandwidth", "latency", "pairs"}};
  for (const auto& [kind, pairs] : kinds) {
    const auto& [path, link_class, bandwidth, latency, placeholder] = kind;
    rows.push_back({std::string(to_string(link_class)), std::string(to_string(path)),
                    figure(bandwidth, "MB/s", placeholder), figure(latency, "ns", placeholder),
                    std::to_string(pairs)});
  }
  return "\n" + aligned(rows);
}

std::string ring_line(const Machine& machine) {
  std::vector<int> members(static_cast<size_t>(machine.count()));
  std::iota(members.begin(), members.end(), 0);
  topology::Ring ring = topology::ring_order(machine, members);
  return fmt::format("\nring order: {} (worst link {}, {})\n", fmt::join(ring.order, " "),
                     to_string(ring.worst_class), to_string(ring.worst_path));
}

std::string legend(const Machine& machine) {
  bool placeholder = false;
  for (int from = 0; from < machine.count(); ++from) {
    placeholder |= machine.npu(from).placeholder;
    for (int to = from + 1; to < machine.count(); ++to) {
      placeholder |= machine.link(from, to).placeholder;
    }
  }
  std::string text =
      "\npaths:   d direct (load, store, copy)   s staged (copies through host memory)   - "
      "refused\n"
      "classes: sio two dies of a package   hccs direct HCCS   hccs_switch HCCS through a switch\n"
      "         pix one PCIe switch   phb PCIe host bridge   sys between sockets   none no path\n";
  if (placeholder) {
    text += "*        a placeholder: this figure is not from a data sheet\n";
  }
  return text;
}

}  // namespace

std::string topo_table(const TopoView& view) {
  std::string text = heading(view) + "\n" + npu_table(view) + "\n" + link_matrix(view.machine);
  text += link_kinds(view.machine);
  if (view.machine.count() > 2) {
    text += ring_line(view.machine);
  }
  return text + legend(view.machine);
}

}  // namespace canopy::cli
