#include "launcher/cli/columns.h"

#include <algorithm>

#include <fmt/format.h>

namespace canopy::cli {

std::string aligned(const std::vector<std::vector<std::string>>& rows, Cells cells) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += cells == Cells::right && i > 0 ? fmt::format("{:>{}}  ", row[i], widths[i])
                                             : fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace canopy::cli
