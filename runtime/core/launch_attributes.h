// LaunchAttributes: what the attributes of a launch say, before they meet a kernel and a stream.
#pragma once

#include "runtime/device/abi/kernel_image.h"

#include <cstdint>
#include <optional>

namespace canopy {

struct LaunchAttributes {
  uint32_t first_block = 0;
  uint32_t ub_bytes = 0;
  std::optional<uint64_t> limit_us;  // in place of the process's; 0: none
  bool together = false;           // no block before there is a core for each
  std::optional<CoreKind> engine;  // of kernels that may run on either kind
};

}  // namespace canopy
