// Copies and fills as the C API asks for them: what each address is, whether the operation is allowed,
// and whether it runs in stream order or at once.
#pragma once

#include "runtime/base/result.h"

#include <cstddef>
#include <cstdint>

namespace canopy {

class Runtime;

// Complete on return. Errors: invalid_argument (count beyond dst_max, or beyond an allocation),
// no_permission (two devices without peer access).
Result<> copy_now(Runtime& runtime, void* dst, size_t dst_max, const void* src, size_t count);
// In stream order; with pageable host memory at one end: synchronises the stream, then copies.
// Errc::not_supported for host to host.
Result<> copy_on_stream(Runtime& runtime, void* dst, size_t dst_max, const void* src, size_t count, void* stream);
Result<> fill_now(Runtime& runtime, void* dst, size_t dst_max, int32_t value, size_t count);
Result<> fill_on_stream(Runtime& runtime, void* dst, size_t dst_max, int32_t value, size_t count, void* stream);

Result<void*> allocate_device(Runtime& runtime, size_t bytes);
Result<> free_device(Runtime& runtime, void* address);
Result<void*> allocate_pinned(Runtime& runtime, size_t bytes);
Result<> free_pinned(Runtime& runtime, void* address);

}  // namespace canopy
