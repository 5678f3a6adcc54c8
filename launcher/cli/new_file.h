// Files that others may read while they are written anew.
#pragma once

#include "runtime/base/result.h"

#include <string>
#include <string_view>

namespace canopy::cli {

// Gives the folder a file of this name with this text, in place of whatever had the name: a reader sees the
// old one or the new one, whole. Error: io; then the old one stays.
Result<> replace_file(const std::string& folder, const std::string& name, std::string_view text);

}  // namespace canopy::cli
