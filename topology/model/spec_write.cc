// write_spec(): Machine to text of a spec file, every field spelt out.
#include "topology/model/spec_field.h"
#include "topology/model/spec_file.h"

namespace canopy::topology {
namespace {

Json npu_json(const Npu& npu) {
  Json json{{"id", npu.id},
            {"soc", npu.soc},
            {"cube_cores", npu.cube_cores},
            {"vector_cores", npu.vector_cores},
            {"aicpu_cores", npu.aicpu_cores},
            {"hbm", npu.hbm_bytes},
            {"l2", npu.l2_bytes},
            {"ub", npu.ub_bytes},
            {"pci_bus_id", npu.pci_bus_id},
            {"numa_node", npu.numa_node},
            {"nic", npu.nic},
            {"placeholder", npu.placeholder}};
  return json;
}

Json pair_json(int from, int to, const Link& link) {
  Json json{{"between", Json::array({from, to})}, {"class", to_string(link.link_class)},
            {"path", to_string(link.path)},       {"bandwidth_MBps", link.bandwidth_MBps},
            {"latency_ns", link.latency_ns},      {"placeholder", link.placeholder}};
  return json;
}

}  // namespace

std::string write_spec(const Machine& machine) {
  Json npus = Json::array();
  Json matrix = Json::array();
  Json pairs = Json::array();
  for (int from = 0; from < machine.count(); ++from) {
    npus.push_back(npu_json(machine.npu(from)));
    Json row = Json::array();
    for (int to = 0; to < machine.count(); ++to) {
      row.push_back(to_string(machine.link(from, to).link_class));
      if (from < to) {
        pairs.push_back(pair_json(from, to, machine.link(from, to)));
      }
    }
    matrix.push_back(std::move(row));
  }
  Json json{{"canopy_spec", 1},
            {"note", "source: " + machine.source()},
            {"name", machine.name()},
            {"npus", std::move(npus)},
            {"links", Json{{"matrix", std::move(matrix)}, {"pairs", std::move(pairs)}}}};
  // A source path with bytes that are not UTF-8 must not make the writer fail.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace canopy::topology
