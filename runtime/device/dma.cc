#include "runtime/device/dma.h"

#include <cstring>

namespace canopy {

// memcpy chooses non-temporal stores above its own threshold (3/4 of the cache) and fences them.
void copy_bytes(void* dst, const void* src, uint64_t bytes) { std::memcpy(dst, src, bytes); }

void fill_bytes(void* dst, int32_t value, uint64_t bytes) { std::memset(dst, value, bytes); }

}  // namespace canopy
