#include "examples/allgather_matmul/timeline.h"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace agmm {
namespace {

Fallible<nlohmann::json> read_part(const std::string& path) {
  std::ifstream in(path);
  if (!in) {
    return failure("{}: cannot be read: {}", path, std::strerror(errno));
  }
  nlohmann::json part = nlohmann::json::parse(in, nullptr, false);
  if (part.is_object() && part.contains("traceEvents")) {
    part = part["traceEvents"];
  }
  if (!part.is_array()) {
    return failure("{}: is no array of trace events", path);
  }
  return part;
}

}  // namespace

std::string timeline_part(const std::string& path, int pe) {
  return fmt::format("{}.pe{}.part", path, pe);
}

Fallible<size_t> join_timeline(const std::string& path, int n_pes) {
  nlohmann::json all = nlohmann::json::array();
  std::string problem;
  for (int pe = 0; pe < n_pes; ++pe) {
    const std::string name = timeline_part(path, pe);
    auto part = read_part(name);
    unlink(name.c_str());
    if (!part) {
      problem = part.error();
      continue;
    }
    for (auto& event : *part) {
      all.push_back(std::move(event));
    }
  }
  if (!problem.empty()) {
    return failure("{}", problem);
  }
  std::ofstream out(path, std::ios::trunc);
  out << all.dump() << '\n';
  out.close();
  if (!out) {
    return failure("{}: cannot be written: {}", path, std::strerror(errno));
  }
  return all.size();
}

}  // namespace agmm
