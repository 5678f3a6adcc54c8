// What a failed task leaves in its stream: the kind of fault and the kind of core.
#pragma once

#include "runtime/device/abi/kernel_image.h"

#include <cstdint>

namespace canopy {

enum class DeviceFault : uint8_t { trap = 1, exception = 2, timeout = 3 };

constexpr int32_t fault_code(DeviceFault fault, CoreKind kind) {
  return static_cast<int32_t>(fault) << 8 | static_cast<int32_t>(kind);
}
constexpr DeviceFault fault_of(int32_t code) { return static_cast<DeviceFault>(code >> 8); }
constexpr CoreKind core_of(int32_t code) { return static_cast<CoreKind>(code & 0xFF); }

}  // namespace canopy
