// Reductions in stream order.
#pragma once

#include "runtime/base/result.h"
#include "runtime/device/reduce.h"

#include <cstdint>

namespace canopy {

class Runtime;

// dst = kind(dst, src) over `bytes` bytes. Errc::invalid_argument: `bytes` is no multiple of the
// element, an address is not on its boundary, or a range is not live memory of the stream's device.
Result<> reduce_on_stream(Runtime& runtime, void* dst, const void* src, uint64_t bytes,
                          ReduceKind kind, ReduceType type, void* stream);

}  // namespace canopy
