// The variables of the device that modules have announced (canopy/symbol.h). Thread-safe.
#pragma once

#include <cstddef>
#include <optional>

namespace canopy {

// The bytes of the variable at `symbol`; nothing when that is none.
std::optional<size_t> symbol_bytes(const void* symbol);

}  // namespace canopy
