#include "launcher/cli/api_list.h"

#include "launcher/cli/output.h"

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace canopy::cli {
namespace {

struct Function {
  std::string_view name;
  std::string_view header;
  std::string_view state;
};
constexpr Function kFunctions[] = {
#define ACL_FUNCTION(name, header, state) {#name, header, #state},
#include "runtime/api/table/functions.inc"
#undef ACL_FUNCTION
};

struct Names {
  std::vector<std::string_view> built;
  std::vector<std::string_view> not_built;
};

// "  built      a b c", in lines of at most 100 columns.
void print_names(std::string_view title, const std::vector<std::string_view>& names) {
  constexpr size_t kColumns = 100;
  constexpr size_t kIndent = 13;
  std::string line;
  bool first = true;
  const auto flush = [&] {
    say("  {:<{}}{}\n", first ? title : "", kIndent - 2, line);
    line.clear();
    first = false;
  };
  for (std::string_view name : names) {
    if (!line.empty() && kIndent + line.size() + 1 + name.size() > kColumns) {
      flush();
    }
    line += line.empty() ? "" : " ";
    line += name;
  }
  if (!line.empty()) {
    flush();
  }
}

}  // namespace

void print_api() {
  std::map<std::string_view, Names> headers;
  for (const Function& function : kFunctions) {
    Names& names = headers[function.header];
    (function.state == "built" ? names.built : names.not_built).push_back(function.name);
  }
  size_t built = 0;
  for (const auto& [header, names] : headers) {
    say("{}: {} built, {} not built\n", header, names.built.size(), names.not_built.size());
    print_names("built", names.built);
    print_names("not built", names.not_built);
    built += names.built.size();
  }
  say("all: {} built, {} not built, of {} functions\n", built, std::size(kFunctions) - built,
             std::size(kFunctions));
}

}  // namespace canopy::cli
