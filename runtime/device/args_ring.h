// ArgsRing: where the arguments of queued kernels lie until their task is done, when they do not fit
// into the submission queue entry. Bytes are taken in stream order by the producer (under the
// stream's lock) and given back in stream order by the executor that completes the task.
#pragma once

#include "runtime/base/cache_line.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace canopy {

class ArgsRing {
 public:
  // Producer: `bytes` of contiguous memory, 16-byte aligned, and in `end` the position to give to
  // free_to() when they are no longer needed. Null when there is no room now; larger() then says
  // whether there ever will be.
  std::byte* take(size_t bytes, uint64_t* end) {
    bytes = (bytes + 15) & ~size_t{15};
    if (bytes > kBytes / 2) {
      return nullptr;
    }
    if (memory_ == nullptr) {
      memory_.reset(new (std::align_val_t{kCacheLine}) std::byte[kBytes]);
    }
    uint64_t at = taken_;
    const size_t offset = at % kBytes;
    if (offset + bytes > kBytes) {
      at += kBytes - offset;  // does not fit before the end: the rest is skipped
    }
    // Acquire: the executor is done reading what it freed; pairs with free_to().
    if (at + bytes - load_acquire(&freed_) > kBytes) {
      return nullptr;
    }
    taken_ = at + bytes;
    *end = taken_;
    return memory_.get() + at % kBytes;
  }
  static bool fits(size_t bytes) { return bytes <= kBytes / 2 - 16; }
  // Consumer.
  void free_to(uint64_t end) { store_release(&freed_, end); }

 private:
  static constexpr size_t kBytes = 256 << 10;
  struct Delete {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{kCacheLine}); }
  };
  std::unique_ptr<std::byte[], Delete> memory_;
  uint64_t taken_ = 0;
  alignas(kCacheLine) uint64_t freed_ = 0;
};

}  // namespace canopy
