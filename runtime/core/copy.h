// Copies and fills as the C API asks for them: what each address is, whether the operation is
// allowed, and whether it runs in stream order or at once. The direction comes from the addresses.
//
// In stream order, with pageable host memory at one end: the stream is synchronised, then the copy
// is done before the call returns. Errc::not_supported for host to host in stream order.
#pragma once

#include "runtime/base/result.h"

#include <cstddef>
#include <cstdint>

namespace canopy {

class Runtime;

// Complete on return. Errors: invalid_argument (count beyond dst_max, or beyond an allocation),
// no_permission (two devices without peer access).
Result<> copy_now(Runtime& runtime, void* dst, size_t dst_max, const void* src, size_t count);
Result<> copy_on_stream(Runtime& runtime, void* dst, size_t dst_max, const void* src, size_t count,
                        void* stream);

// `height` rows of `width` bytes, `dst_pitch` and `src_pitch` bytes apart.
struct Copy2d {
  void* dst;
  size_t dst_pitch;
  const void* src;
  size_t src_pitch;
  size_t width;
  size_t height;
};
Result<> copy_2d_now(Runtime& runtime, const Copy2d& copy);
Result<> copy_2d_on_stream(Runtime& runtime, const Copy2d& copy, void* stream);

Result<> fill_now(Runtime& runtime, void* dst, size_t dst_max, int32_t value, size_t count);
Result<> fill_on_stream(Runtime& runtime, void* dst, size_t dst_max, int32_t value, size_t count,
                        void* stream);
// `words` words of 32 bits. On host memory, pinned too, complete on return.
Result<> fill_words_now(Runtime& runtime, void* dst, size_t dst_max, uint32_t value, size_t words);
Result<> fill_words_on_stream(Runtime& runtime, void* dst, size_t dst_max, uint32_t value,
                              size_t words, void* stream);

}  // namespace canopy
