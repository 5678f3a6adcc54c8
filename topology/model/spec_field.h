// SpecField: one place inside a spec file, which knows its path ("npus[3].hbm"), so that every
// refusal is a sentence with field, value and limit. Borrows the JSON value and the origin text.
#pragma once

#include "runtime/base/result.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace canopy::topology {

using Json = nlohmann::ordered_json;

class SpecField {
 public:
  SpecField(const Json& value, std::string path, const std::string& origin)
      : value_(value), path_(std::move(path)), origin_(origin) {}

  // The member `key` when present. REQUIRES: this is an object (see expect_object).
  std::optional<SpecField> find(std::string_view key) const;
  Result<SpecField> need(std::string_view key) const;
  size_t size() const { return value_.size(); }
  SpecField at(size_t index) const;  // REQUIRES: an array, index < size()
  bool is_object() const { return value_.is_object(); }

  // An object with no keys but these ("note" is always allowed: a comment for people).
  Result<> expect_object(std::initializer_list<std::string_view> known) const;
  Result<> expect_array(size_t least, size_t most) const;

  Result<uint64_t> integer(uint64_t least, uint64_t most) const;
  // A whole number of bytes, or text with a binary suffix such as "64G".
  Result<uint64_t> bytes(uint64_t least, uint64_t most) const;
  Result<bool> boolean() const;
  // Printable ASCII without quotes and backslashes, so that it can be shown and logged anywhere.
  Result<std::string> text(size_t least, size_t most) const;

  // For each member that is present: reads it into `out`, converted.
  template <class T>
  Result<> read_integer(std::string_view key, uint64_t least, uint64_t most, T& out) const {
    if (auto field = find(key)) {
      CANOPY_ASSIGN(uint64_t value, field->integer(least, most));
      out = static_cast<T>(value);
    }
    return {};
  }

  template <class... A>
  tl::unexpected<Error> refuse(fmt::format_string<A...> format, A&&... args) const {
    return refuse_text(fmt::format(format, std::forward<A>(args)...));
  }
  std::string shown() const;  // the value, shortened, for error sentences

 private:
  tl::unexpected<Error> refuse_text(const std::string& sentence) const;
  tl::unexpected<Error> wrong_type(std::string_view wanted) const;

  const Json& value_;
  std::string path_;
  const std::string& origin_;
};

}  // namespace canopy::topology
