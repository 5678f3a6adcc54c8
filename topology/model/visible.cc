#include "topology/model/visible.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace canopy::topology {

std::vector<int> parse_visible(std::string_view list, int count) {
  std::vector<int> ids;
  while (!list.empty()) {
    const std::string_view entry = list.substr(0, list.find(','));
    int id = -1;
    const auto [end, error] = std::from_chars(entry.data(), entry.data() + entry.size(), id);
    if (error != std::errc() || end != entry.data() + entry.size() || id < 0 || id >= count ||
        std::find(ids.begin(), ids.end(), id) != ids.end()) {
      break;
    }
    ids.push_back(id);
    list.remove_prefix(std::min(list.size(), entry.size() + 1));
  }
  return ids;
}

Machine visible_part(const Machine& machine, const std::vector<int>& ids) {
  std::vector<Npu> npus;
  std::vector<Link> links;
  for (const int id : ids) {
    Npu npu = machine.npu(id);
    npu.logical = npu.logical_id();
    npu.id = static_cast<int>(npus.size());
    npus.push_back(std::move(npu));
    for (const int other : ids) {
      links.push_back(machine.link(id, other));
    }
  }
  return Machine(machine.name(), machine.source(), std::move(npus), std::move(links));
}

}  // namespace canopy::topology
