// Variables of the device and copies to and from them.
#pragma once

#include "runtime/base/result.h"

#include <cstddef>

namespace canopy {

class Runtime;

struct Symbol {
  std::byte* address;
  size_t bytes;
};
// Errc::not_found: no module has announced it. Errc::no_context without a device.
Result<Symbol> find_symbol(Runtime& runtime, const void* symbol);

// [offset, +count) of the variable, which must hold it (Errc::invalid_argument). Complete on
// return.
Result<> copy_to_symbol(Runtime& runtime, const void* symbol, size_t offset, const void* src,
                        size_t count);
Result<> copy_from_symbol(Runtime& runtime, void* dst, size_t dst_max, const void* symbol,
                          size_t offset, size_t count);
// In stream order; with pageable host memory: synchronises the stream, then copies.
Result<> copy_to_symbol_on_stream(Runtime& runtime, const void* symbol, size_t offset,
                                  const void* src, size_t count, void* stream);
Result<> copy_from_symbol_on_stream(Runtime& runtime, void* dst, size_t dst_max, const void* symbol,
                                    size_t offset, size_t count, void* stream);

}  // namespace canopy
