#include "topology/model/spec_field.h"

#include "runtime/base/env.h"

#include <algorithm>

namespace canopy::topology {

std::optional<SpecField> SpecField::find(std::string_view key) const {
  auto member = value_.find(key);
  if (member == value_.end()) {
    return std::nullopt;
  }
  return SpecField(*member, path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key),
                   origin_);
}

Result<SpecField> SpecField::need(std::string_view key) const {
  if (auto field = find(key)) {
    return *field;
  }
  return refuse("the field '{}' is missing", key);
}

SpecField SpecField::at(size_t index) const {
  return SpecField(value_[index], fmt::format("{}[{}]", path_, index), origin_);
}

Result<> SpecField::expect_object(std::initializer_list<std::string_view> known) const {
  if (!value_.is_object()) {
    return wrong_type("an object");
  }
  for (const auto& [key, unused] : value_.items()) {
    if (key != "note" && std::find(known.begin(), known.end(), key) == known.end()) {
      return refuse("unknown field {}; known are {}", Json(key).dump(-1, ' ', true),
                    fmt::join(known, ", "));
    }
  }
  return {};
}

Result<> SpecField::expect_array(size_t least, size_t most) const {
  if (!value_.is_array()) {
    return wrong_type("an array");
  }
  if (value_.size() < least || value_.size() > most) {
    return least == most
               ? refuse("has {} entries, must have {}", value_.size(), least)
               : refuse("has {} entries, allowed are {} to {}", value_.size(), least, most);
  }
  return {};
}

Result<uint64_t> SpecField::integer(uint64_t least, uint64_t most) const {
  if (!value_.is_number()) {
    return wrong_type("a number");
  }
  // A number too large for 64 bits arrives as a float, and is refused with the others.
  if (!value_.is_number_unsigned() || value_.get<uint64_t>() < least ||
      value_.get<uint64_t>() > most) {
    return refuse("is {}, must be a whole number from {} to {}", shown(), least, most);
  }
  return value_.get<uint64_t>();
}

Result<uint64_t> SpecField::bytes(uint64_t least, uint64_t most) const {
  if (!value_.is_string()) {
    return integer(least, most);
  }
  auto parsed = env::parse_bytes(value_.get_ref<const std::string&>());
  if (!parsed || *parsed < least || *parsed > most) {
    return refuse("is {}, must be a size such as \"64G\", from {} to {} bytes", shown(), least,
                  most);
  }
  return *parsed;
}

Result<bool> SpecField::boolean() const {
  if (!value_.is_boolean()) {
    return wrong_type("true or false");
  }
  return value_.get<bool>();
}

Result<std::string> SpecField::text(size_t least, size_t most) const {
  if (!value_.is_string()) {
    return wrong_type("text");
  }
  const auto& text = value_.get_ref<const std::string&>();
  if (text.size() < least || text.size() > most) {
    return refuse("is {}, {} characters long, allowed are {} to {}", shown(), text.size(), least,
                  most);
  }
  bool plain = std::all_of(text.begin(), text.end(),
                           [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (!plain) {
    return refuse("is {}, must be printable ASCII without quotes and backslashes", shown());
  }
  return text;
}

std::string SpecField::shown() const {
  constexpr size_t kMost = 60;
  std::string text = value_.dump(-1, ' ', true);  // ASCII only: cutting it cannot split a character
  if (text.size() > kMost) {
    text.resize(kMost);
    text += "...";
  }
  return text;
}

tl::unexpected<Error> SpecField::refuse_text(const std::string& sentence) const {
  return fail(Errc::parse, "spec {}: {}: {}", origin_, path_.empty() ? "top level" : path_,
              sentence);
}

tl::unexpected<Error> SpecField::wrong_type(std::string_view wanted) const {
  return refuse("is {}, must be {}", shown(), wanted);
}

}  // namespace canopy::topology
