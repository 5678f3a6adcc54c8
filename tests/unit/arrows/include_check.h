// Checks every #include of a source tree against an ArrowTable.
#pragma once

#include "runtime/base/result.h"
#include "tests/unit/arrows/arrow_table.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace canopy::arrows {

struct Report {
  // One sentence each: "transport/self/a.cc:3: ...".
  std::vector<std::string> violations;
  int files = 0;
  int arrows = 0;  // includes of project files that were looked at
};

// Looks at all .h, .hpp, .c, .cc files below `root`/`top` for each of `tops`. A quoted include must
// name an existing file from `root` or from one of the include folders ("runtime/include"); an
// angled one that names none is somebody else's header and free. Errors: io, a file or folder
// cannot be read.
Result<Report> check_includes(const ArrowTable& table, const std::filesystem::path& root,
                              std::span<const std::string> tops);

}  // namespace canopy::arrows
