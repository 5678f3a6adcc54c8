// How the bytes of a checked copy get from one end to the other.
#pragma once

#include "runtime/base/result.h"
#include "runtime/core/copy.h"

#include <cstddef>
#include <cstdint>

namespace canopy {

class Runtime;
class Stream;

enum class CopyWay : uint8_t {
  direct,
  staged,  // two devices whose link goes through the host's memory
  remote   // one end lies on another host
};

// Complete on return. Only CopyWay::remote can fail: with its RemoteRegion, or because an end was unmapped meanwhile.
Result<> move_bytes(Runtime& runtime, CopyWay way, void* dst, const void* src, size_t bytes);
Result<> move_rows(Runtime& runtime, CopyWay way, const Copy2d& copy);

// The same in stream order. `frees`: as post_on_memory().
void post_move(Runtime& runtime, Stream& stream, uint64_t frees, CopyWay way, void* dst, const void* src, size_t bytes);
void post_move_rows(Runtime& runtime, Stream& stream, uint64_t frees, CopyWay way, const Copy2d& copy);

}  // namespace canopy
