#include "launcher/cli/p2p_report.h"

#include "launcher/cli/columns.h"
#include "launcher/cli/command.h"

#include <string_view>

#include <nlohmann/json.hpp>

namespace canopy::cli {
namespace {
using Json = nlohmann::ordered_json;
using topology::PeerPath;

// One matrix: `cell` tells what stands there for a pair.
template <class Cell>
std::string matrix_of(const P2pMatrix& matrix, Cells cells, Cell cell) {
  const std::vector<int>& devices = matrix.plan.devices;
  std::vector<std::vector<std::string>> rows(1, {"from\\to"});
  for (const int device : devices) {
    rows[0].push_back(fmt::format("npu{}", device));
  }
  for (size_t row = 0; row < devices.size(); ++row) {
    rows.push_back({fmt::format("npu{}", devices[row])});
    for (size_t column = 0; column < devices.size(); ++column) {
      rows.back().push_back(cell(matrix.pairs[row * devices.size() + column]));
    }
  }
  return aligned(rows, cells);
}

std::string link_cell(const P2pPair& pair) {
  return pair.src == pair.dst
             ? "self"
             : fmt::format("{}:{}", to_string(pair.link.link_class), to_string(pair.link.path));
}

enum class Access { off, on };

std::string figure_cell(const P2pPair& pair, const P2pFigure& figure, Access access, int digits) {
  // A device needs no access to itself: its copies are the same in both.
  const auto& value = access == Access::on && pair.src != pair.dst ? figure.on : figure.off;
  return value ? fmt::format("{:.{}f}", *value, digits) : "refused";
}

// `figure` picks one of a pair.
template <class Figure>
std::string off_and_on(const P2pMatrix& matrix, std::string_view what, int digits, Figure figure) {
  std::string text;
  for (const Access access : {Access::off, Access::on}) {
    text += fmt::format("\n{}, P2P {}\n", what,
                        access == Access::off ? "off (by way of pinned host memory)" : "on");
    text += matrix_of(matrix, Cells::right, [&](const P2pPair& pair) {
      return figure_cell(pair, figure(pair), access, digits);
    });
  }
  return text;
}

Json off_and_on(const P2pFigure& figure) {
  const auto value = [](std::optional<double> number) { return number ? Json(*number) : Json(); };
  return {{"off", value(figure.off)}, {"on", value(figure.on)}};
}

Json rates(const std::vector<P2pFigure>& figures, const std::vector<uint64_t>& sizes) {
  Json list = Json::array();
  for (size_t i = 0; i < figures.size(); ++i) {
    Json entry = {{"bytes", sizes[i]}};
    entry.update(off_and_on(figures[i]));
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

std::string p2p_table(const P2pMatrix& matrix) {
  const P2pPlan& plan = matrix.plan;
  std::string text = fmt::format("machine '{}', {} of its NPUs; medians of {} copies\n\nlinks\n",
                                 matrix.machine, plan.devices.size(), plan.iterations);
  text += matrix_of(matrix, Cells::left, link_cell);
  for (size_t i = 0; i < plan.sizes.size(); ++i) {
    const std::string size = readable_bytes(plan.sizes[i]);
    text += off_and_on(matrix, fmt::format("GB/s one way, {}", size), 2,
                       [&](const P2pPair& pair) { return pair.one_way_GBps[i]; });
    if (plan.both_ways) {
      text += off_and_on(matrix, fmt::format("GB/s both ways at once, {} each", size), 2,
                         [&](const P2pPair& pair) { return pair.both_ways_GBps[i]; });
    }
  }
  return text + off_and_on(matrix,
                           fmt::format("us for {} bytes, until the host knows", kLatencyBytes), 2,
                           [](const P2pPair& pair) { return pair.latency_us; });
}

std::string p2p_json(const P2pMatrix& matrix) {
  Json pairs = Json::array();
  for (const P2pPair& pair : matrix.pairs) {
    Json entry = {{"src", pair.src},
                  {"dst", pair.dst},
                  {"link", to_string(pair.link.link_class)},
                  {"path", to_string(pair.link.path)},
                  {"GBps", rates(pair.one_way_GBps, matrix.plan.sizes)}};
    if (matrix.plan.both_ways) {
      entry["both_ways_GBps"] = rates(pair.both_ways_GBps, matrix.plan.sizes);
    }
    entry["latency_us"] = off_and_on(pair.latency_us);
    pairs.push_back(std::move(entry));
  }
  const Json report = {{"machine", matrix.machine},
                       {"devices", matrix.plan.devices},
                       {"iterations", matrix.plan.iterations},
                       {"latency_iterations", matrix.plan.latency_iterations},
                       {"latency_bytes", kLatencyBytes},
                       {"pairs", std::move(pairs)}};
  return report.dump(2) + "\n";
}

}  // namespace canopy::cli
