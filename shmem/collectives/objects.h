// What all collectives do with their arguments.
#pragma once

#include "shmem/team/team.h"
#include "shmem/world/world.h"

#include <cstddef>

namespace canopy::shmem {

// The address in this PE's user area. Ends the job with a sentence when the bytes are not within
// its symmetric memory.
template <class T>
[[nodiscard]] inline T* require_symmetric(const Team& team, T* object, size_t bytes, const char* routine) {
  const Hot& hot = team.world().hot();
  T* const address = in_user_area(hot, object);
  const size_t offset = reinterpret_cast<uintptr_t>(address) - hot.base;
  if (offset >= hot.bytes || bytes > hot.bytes - offset) [[unlikely]] {
    bad_target(hot, address, bytes, 1, hot.my_pe, routine);
  }
  return address;
}

// The product; what does not fit is more than any object has.
inline size_t saturated(size_t a, size_t b) {
  size_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

inline std::byte* at(void* object, size_t offset) { return static_cast<std::byte*>(object) + offset; }
inline const std::byte* at(const void* object, size_t offset) { return static_cast<const std::byte*>(object) + offset; }

}  // namespace canopy::shmem
