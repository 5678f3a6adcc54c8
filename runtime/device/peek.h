// peek(): reads memory that may be gone, without a fault. For reports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace canopy {

// The `bytes` (at most 8) at `address` as a number; nothing when they cannot be read.
std::optional<uint64_t> peek(const volatile void* address, size_t bytes);

}  // namespace canopy
