// Text keys as callers hand them in and out.
#pragma once

#include "runtime/base/result.h"

#include <cstddef>
#include <cstring>
#include <string_view>

namespace canopy::acl {

// With its terminator a key fits into this many bytes, as documented.
inline constexpr size_t kKeyRoom = 65;

inline Result<> check_key_room(const char* function, size_t len) {
  if (len < kKeyRoom) {
    return fail(Errc::invalid_argument, "{}: a buffer of {} bytes, at least {} are wanted", function, len, kKeyRoom);
  }
  return {};
}

// Not read further than a key can reach: what is longer is none.
inline std::string_view text_of_key(const char* key) { return {key, ::strnlen(key, kKeyRoom)}; }

}  // namespace canopy::acl
