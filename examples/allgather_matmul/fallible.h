// Fallible<T>: a value, or one English sentence that names what failed, its value and the limit.
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace agmm {

template <class T = void>
using Fallible = tl::expected<T, std::string>;

template <class... A>
tl::unexpected<std::string> failure(fmt::format_string<A...> text, A&&... args) {
  return tl::unexpected<std::string>(fmt::format(text, std::forward<A>(args)...));
}

}  // namespace agmm
