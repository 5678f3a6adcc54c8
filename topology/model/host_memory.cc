#include "topology/model/host_memory.h"

#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>

namespace canopy::topology {
namespace {

std::optional<uint64_t> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) {
    return std::nullopt;  // "max" lands here too: no limit
  }
  return value;
}

uint64_t mem_total(const std::string& proc_root) {
  constexpr std::string_view kKey = "MemTotal:";
  std::ifstream file(proc_root + "/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kKey)) {
      return leading_number(std::string_view(line).substr(kKey.size())).value_or(0) * 1024;
    }
  }
  return 0;
}

// "0::/a/b" is the cgroup v2 line; other lines belong to v1 hierarchies.
std::string own_cgroup(const std::string& proc_root) {
  std::ifstream file(proc_root + "/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::/")) {
      return line.substr(3);
    }
  }
  return "/";
}

}  // namespace

HostMemory usable_memory(const std::string& proc_root, const std::string& cgroup_root) {
  HostMemory memory{mem_total(proc_root), false};
  // A limit of any ancestor binds us. In a container the path may name a cgroup that is not visible
  // here; its file is then missing, and the walk ends at the root, which is the container's own.
  for (std::string path = own_cgroup(proc_root);;) {
    std::string text;
    std::ifstream file(cgroup_root + path + "/memory.max");
    if (std::getline(file, text)) {
      if (auto limit = leading_number(text);
          limit && (memory.bytes == 0 || *limit < memory.bytes)) {
        memory = {*limit, true};
      }
    }
    if (path.empty() || path == "/") {
      return memory;
    }
    path.resize(path.find_last_of('/'));
  }
}

}  // namespace canopy::topology
