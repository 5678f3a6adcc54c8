#include "tests/unit/arrows/include_check.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <regex>

namespace canopy::arrows {
namespace {

namespace fs = std::filesystem;

// Where users' spelling of installed headers is looked up, as the build does.
constexpr std::array kIncludeFolders = {"runtime/include",   "runtime/include/acl",
                                        "shmem/include",     "topology/include",
                                        "transport/include", "launcher/include"};

struct Include {
  int line;
  bool quoted;
  std::string path;
};

Result<std::vector<Include>> includes_of(const fs::path& file) {
  static const std::regex directive(R"(^\s*#\s*include\s*(["<])([^">]+)[">])");
  std::ifstream stream(file);
  if (!stream) {
    return fail(Errc::io, "{} cannot be read", file.string());
  }
  std::vector<Include> found;
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    std::smatch match;
    if (std::regex_search(line, match, directive)) {
      found.push_back(Include{number, match[1] == "\"", match[2]});
    }
  }
  return found;
}

// The included file as a path from the root, if it is one of the project's.
std::optional<std::string> resolve(const fs::path& root, const std::string& include) {
  if (fs::exists(root / include)) {
    return include;
  }
  for (const char* folder : kIncludeFolders) {
    if (fs::exists(root / folder / include)) {
      return std::string(folder) + "/" + include;
    }
  }
  return std::nullopt;
}

bool is_relative(const fs::path& path) {
  return std::any_of(path.begin(), path.end(),
                     [](const fs::path& part) { return part == "." || part == ".."; });
}

bool is_source(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".h" || extension == ".hpp" || extension == ".c" || extension == ".cc";
}

// An installed header does not know where it lies, and other projects have headers of its names: it
// may name its neighbours relative to itself, as long as they are installed with it.
std::optional<std::string> resolve_neighbour(const fs::path& root, const std::string& file,
                                             const std::string& include) {
  const size_t folder = file.find("/include/");
  const std::string target =
      (fs::path(file).parent_path() / include).lexically_normal().generic_string();
  if (folder == std::string::npos || target.compare(0, folder + 9, file, 0, folder + 9) != 0 ||
      !fs::exists(root / target)) {
    return std::nullopt;
  }
  return target;
}

// The sentence about one include of `file` in `from`, or nothing when it is legal.
std::optional<std::string> judge(const ArrowTable& table, const fs::path& root,
                                 const std::string& file, const std::string& from,
                                 const Include& include, int& arrows) {
  const bool relative = is_relative(include.path);
  const auto target =
      relative ? resolve_neighbour(root, file, include.path) : resolve(root, include.path);
  if (relative && !target) {
    return fmt::format("\"{}\" is a relative path: write it from the repository root",
                       include.path);
  }
  if (!target) {
    return include.quoted ? std::optional(fmt::format(
                                "\"{}\" is no file from the repository root or an include folder "
                                "(headers of others go in angle brackets)",
                                include.path))
                          : std::nullopt;
  }
  ++arrows;
  const auto to = table.folder_of(*target);
  if (!to) {
    return fmt::format("{} lies in no folder that the list of arrows knows", *target);
  }
  if (!table.allows(from, *to)) {
    return fmt::format("{} -> {} is not an allowed arrow (included {})", from, *to, *target);
  }
  return std::nullopt;
}

Result<void> check_file(const ArrowTable& table, const fs::path& root, const fs::path& file,
                        Report& report) {
  const std::string name = fs::relative(file, root).generic_string();
  ++report.files;
  const auto from = table.folder_of(name);
  if (!from) {
    report.violations.push_back(
        fmt::format("{}: lies in no folder that the list of arrows knows", name));
    return {};
  }
  CANOPY_ASSIGN(const std::vector<Include> includes, includes_of(file));
  for (const Include& include : includes) {
    if (auto sentence = judge(table, root, name, *from, include, report.arrows)) {
      report.violations.push_back(fmt::format("{}:{}: {}", name, include.line, *sentence));
    }
  }
  return {};
}

}  // namespace

Result<Report> check_includes(const ArrowTable& table, const fs::path& root,
                              std::span<const std::string> tops) {
  Report report;
  for (const std::string& top : tops) {
    std::error_code error;
    fs::recursive_directory_iterator entries(root / top, error);
    if (error) {
      return fail(Errc::io, "{}: {}", (root / top).string(), error.message());
    }
    for (const auto& entry : entries) {
      if (entry.is_regular_file() && is_source(entry.path())) {
        CANOPY_TRY(check_file(table, root, entry.path(), report));
      }
    }
  }
  return report;
}

}  // namespace canopy::arrows
