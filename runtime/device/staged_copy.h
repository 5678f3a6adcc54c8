// Copies between devices that cannot address each other's memory: chunk by chunk through a buffer of the host.
#pragma once

#include <cstdint>

namespace canopy {

// So much at a time: both halves of a chunk's way find it in a cache near the core.
inline constexpr uint64_t kStagingBytes = uint64_t{256} << 10;

// As copy_bytes(). Every thread that calls it keeps a buffer of kStagingBytes.
void copy_staged(void* dst, const void* src, uint64_t bytes);

// What has gone through such buffers in this process so far.
uint64_t staged_bytes();

}  // namespace canopy
