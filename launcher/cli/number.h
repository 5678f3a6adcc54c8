// Numbers on the command line.
#pragma once

#include <charconv>
#include <optional>
#include <string>

#include <fmt/format.h>

namespace canopy::cli {

// Of the whole text; nothing: it is none, or none of T.
template <class T>
std::optional<T> number(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// A check of CLI11: the sentence about a text that is wrong. What is no number at all, NaN too, is in no range.
template <class T>
auto number_from(T low, T high) {
  return [low, high](const std::string& text) {
    const auto value = number<T>(text);
    return value && *value >= low && *value <= high ? std::string()
                                                    : fmt::format("'{}' is no number from {} to {}", text, low, high);
  };
}

}  // namespace canopy::cli
