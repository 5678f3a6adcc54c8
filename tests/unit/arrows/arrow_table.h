// The list of allowed arrows between folders, as read from arrows.txt.
//
// Immutable after parse(), so any thread may read it.
#pragma once

#include "runtime/base/result.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace canopy::arrows {

class ArrowTable {
 public:
  // Errors: parse, with the line: no colon, a folder named twice, or a target that has no line
  // itself (a misspelt target would allow nothing and be noticed late).
  static Result<ArrowTable> parse(std::string_view text);

  // The longest listed folder that `path` ("runtime/device/abi/sqe.h") lies in.
  std::optional<std::string> folder_of(std::string_view path) const;
  // Both are names that folder_of() returned.
  bool allows(const std::string& from, const std::string& to) const;

 private:
  std::map<std::string, std::set<std::string>> targets_;
};

}  // namespace canopy::arrows
