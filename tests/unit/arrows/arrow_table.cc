#include "tests/unit/arrows/arrow_table.h"

#include <algorithm>
#include <sstream>

namespace canopy::arrows {

Result<ArrowTable> ArrowTable::parse(std::string_view text) {
  ArrowTable table;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    line.erase(std::min(line.find('#'), line.size()));
    std::istringstream words(line);
    std::string folder;
    if (!(words >> folder)) {
      continue;
    }
    if (folder.back() != ':') {
      return fail(Errc::parse, "line {}: '{}' must end with a colon", number, folder);
    }
    folder.pop_back();
    auto [entry, fresh] = table.targets_.try_emplace(folder);
    if (!fresh) {
      return fail(Errc::parse, "line {}: folder '{}' has a line already", number, folder);
    }
    for (std::string target; words >> target;) {
      entry->second.insert(target);
    }
  }
  for (const auto& [folder, targets] : table.targets_) {
    for (const std::string& target : targets) {
      if (!table.targets_.contains(target)) {
        return fail(Errc::parse, "folder '{}' may include '{}', which has no line", folder, target);
      }
    }
  }
  return table;
}

std::optional<std::string> ArrowTable::folder_of(std::string_view path) const {
  for (size_t slash = path.rfind('/'); slash != std::string_view::npos;
       slash = slash == 0 ? std::string_view::npos : path.rfind('/', slash - 1)) {
    std::string folder(path.substr(0, slash));
    if (targets_.contains(folder)) {
      return folder;
    }
  }
  return std::nullopt;
}

bool ArrowTable::allows(const std::string& from, const std::string& to) const {
  return from == to || targets_.at(from).contains(to);
}

}  // namespace canopy::arrows
