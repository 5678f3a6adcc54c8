// What all collectives do with their arguments.
#pragma once

#include "shmem/team/team.h"
#include "shmem/world/world.h"

#include <cstddef>

namespace canopy::shmem {

// Ends the job with a sentence when the bytes are not within this PE's symmetric memory.
inline void require_symmetric(const Team& team, const void* address, size_t bytes, const char* routine) {
  const Hot& hot = team.world().hot();
  const size_t offset = reinterpret_cast<uintptr_t>(address) - hot.base;
  if (offset >= hot.bytes || bytes > hot.bytes - offset) [[unlikely]] {
    bad_target(hot, address, bytes, 1, hot.my_pe, routine);
  }
}

inline std::byte* at(void* object, size_t offset) { return static_cast<std::byte*>(object) + offset; }
inline const std::byte* at(const void* object, size_t offset) { return static_cast<const std::byte*>(object) + offset; }

}  // namespace canopy::shmem
