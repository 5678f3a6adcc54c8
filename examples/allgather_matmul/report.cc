#include "examples/allgather_matmul/report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace agmm {
namespace {

// "self" and "mapped" move bytes with the load and store of a core; anything else with a NIC or a
// DMA.
bool uses_cores_only(const RankReport& rank) {
  return std::all_of(rank.paths.begin(), rank.paths.end(),
                     [](const auto& path) { return path == "self" || path == "mapped"; });
}

std::string overlap_of(const RankReport& rank) {
  const double shorter = std::min(rank.times.compute, rank.times.comm);
  if (uses_cores_only(rank) || shorter <= 0) {
    return "n/a";
  }
  return fmt::format("{:.2f}", (rank.times.compute + rank.times.comm - rank.times.fused) / shorter);
}

std::string paths_of(const RankReport& rank) {
  std::string text;
  for (size_t peer = 0; peer < rank.paths.size(); ++peer) {
    text += fmt::format("{}{}:{}", peer == 0 ? "" : " ", peer, rank.paths[peer]);
  }
  return text;
}

// Columns as wide as their widest entry.
std::string table(const std::vector<std::vector<std::string>>& lines) {
  std::vector<size_t> widths(lines[0].size(), 0);
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], line[i].size());
    }
  }
  std::string text;
  for (const auto& line : lines) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i) {
      row += fmt::format("{:<{}}  ", line[i], widths[i]);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + '\n';
  }
  return text;
}

std::string counters(const std::vector<RankReport>& ranks) {
  RankReport sum;
  for (const RankReport& rank : ranks) {
    sum.kernel_puts += rank.kernel_puts;
    sum.kernel_signals += rank.kernel_signals;
    sum.kernel_waits += rank.kernel_waits;
    sum.host_puts += rank.host_puts;
    sum.host_signals += rank.host_signals;
    sum.host_waits += rank.host_waits;
  }
  return fmt::format(
      "operations: {} puts, {} signals, {} waits issued by blocks of kernels; host-issued = {}\n",
      sum.kernel_puts, sum.kernel_signals, sum.kernel_waits,
      sum.host_puts + sum.host_signals + sum.host_waits);
}

std::string verdict(const Partition& part, const std::vector<RankReport>& ranks) {
  uint64_t rows = 0;
  double max_error = 0;
  for (size_t pe = 0; pe < ranks.size(); ++pe) {
    const CheckResult& check = ranks[pe].check;
    rows = std::max(rows, check.rows_checked);
    max_error = std::max(max_error, check.max_error);
    if (!check.ok()) {
      return fmt::format(
          "FAILED: rank {} has {} wrong element(s), the first is C[{}, {}] = {:.9g} "
          "instead of {:.9g}\n",
          pe, check.wrong, check.first_wrong_row, check.first_wrong_col, check.found,
          check.expected);
    }
  }
  const std::string what =
      rows == part.m ? fmt::format("all {} x {} elements", part.m, part.n)
                     : fmt::format("{} of {} rows (sampled), all {} columns", rows, part.m, part.n);
  return fmt::format("check: {} of C agree with the plain reference, max error {:.3g}\n", what,
                     max_error);
}

}  // namespace

std::string to_text(const RankReport& r) {
  return nlohmann::json{
      {"host", r.host},
      {"npu", r.npu},
      {"paths", r.paths},
      {"times", {r.times.compute, r.times.comm, r.times.serial, r.times.fused}},
      {"rows_checked", r.check.rows_checked},
      {"wrong", {r.check.wrong, r.check.first_wrong_row, r.check.first_wrong_col}},
      // Errors can be infinite, which JSON numbers cannot.
      {"error", fmt::format("{} {} {}", r.check.max_error, r.check.found, r.check.expected)},
      {"kernel", {r.kernel_puts, r.kernel_signals, r.kernel_waits}},
      {"by_host", {r.host_puts, r.host_signals, r.host_waits}}}
      .dump();
}

RankReport from_text(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text);
  RankReport r;
  r.host = json["host"];
  r.npu = json["npu"];
  r.paths = json["paths"].get<std::vector<std::string>>();
  const auto& times = json["times"];
  r.times = {times[0], times[1], times[2], times[3]};
  r.check.rows_checked = json["rows_checked"];
  r.check.wrong = json["wrong"][0];
  r.check.first_wrong_row = json["wrong"][1];
  r.check.first_wrong_col = json["wrong"][2];
  const std::string errors = json["error"];
  char* at = nullptr;
  r.check.max_error = std::strtod(errors.c_str(), &at);
  r.check.found = std::strtod(at, &at);
  r.check.expected = std::strtod(at, &at);
  const auto& kernel = json["kernel"];
  const auto& host = json["by_host"];
  r.kernel_puts = kernel[0], r.kernel_signals = kernel[1], r.kernel_waits = kernel[2];
  r.host_puts = host[0], r.host_signals = host[1], r.host_waits = host[2];
  return r;
}

std::string render(const Partition& part, const std::vector<RankReport>& ranks) {
  std::vector<std::vector<std::string>> lines = {{"rank", "host", "NPU", "rows of A",
                                                  "columns of B", "paths", "T_compute", "T_comm",
                                                  "T_serial", "T_fused", "overlap", "max error"}};
  for (uint32_t pe = 0; pe < ranks.size(); ++pe) {
    const RankReport& rank = ranks[pe];
    lines.push_back(
        {fmt::format("{}", pe), rank.host, rank.npu, fmt::format("{}", part.rows_of(pe).size()),
         fmt::format("{}", part.cols_of(pe).size()), paths_of(rank),
         fmt::format("{:.3f} ms", rank.times.compute), fmt::format("{:.3f} ms", rank.times.comm),
         fmt::format("{:.3f} ms", rank.times.serial), fmt::format("{:.3f} ms", rank.times.fused),
         overlap_of(rank), fmt::format("{:.3g}", rank.check.max_error)});
  }
  std::string text = table(lines);
  if (std::any_of(ranks.begin(), ranks.end(), uses_cores_only)) {
    text +=
        "overlap: n/a where all paths are on one host: there communication uses the compute "
        "cores, so nothing is hidden behind the multiplication\n";
  }
  return text + counters(ranks) + verdict(part, ranks);
}

}  // namespace agmm
