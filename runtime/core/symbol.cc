#include "runtime/core/symbol.h"

#include "runtime/core/copy_check.h"
#include "runtime/core/runtime.h"
#include "runtime/device/dma.h"
#include "runtime/device/symbol_registry.h"

namespace canopy {
namespace {

struct Copy {
  void* dst;
  const void* src;
  size_t bytes;
};

void run_copy(const Copy& copy) { copy_bytes(copy.dst, copy.src, copy.bytes); }

Result<std::byte*> part_of(Runtime& runtime, const void* symbol, size_t offset, size_t count) {
  CANOPY_ASSIGN(const Symbol found, find_symbol(runtime, symbol));
  if (offset > found.bytes || count > found.bytes - offset) {
    return fail(Errc::invalid_argument,
                "{} bytes from {} on run past the end of the variable of {} bytes at {}", count,
                offset, found.bytes, fmt::ptr(symbol));
  }
  return found.address + offset;
}

// `other` is the end that is not the variable: its memory may go while the copy waits.
Result<> queue(Runtime& runtime, const Copy& copy, const void* other, const CopyEnd& end,
               uint64_t frees, Stream& stream) {
  if (copy.bytes == 0) {
    return {};
  }
  if (pageable(end)) {
    CANOPY_TRY(stream.synchronize_to_copy());
    run_copy(copy);
    return {};
  }
  const TouchedRanges touched = other == copy.src ? TouchedRanges{nullptr, 0, other, copy.bytes}
                                                  : TouchedRanges{other, copy.bytes, nullptr, 0};
  post_on_memory(stream, runtime.task_memory(), frees, touched, run_copy, copy, "copy");
  return {};
}

Result<> check_room(size_t dst_max, size_t count) {
  if (count > dst_max) {
    return fail(Errc::invalid_argument, "a copy of {} bytes into a destination of {} bytes", count,
                dst_max);
  }
  return {};
}

}  // namespace

Result<Symbol> find_symbol(Runtime& runtime, const void* symbol) {
  CANOPY_TRY(runtime.current_context());
  const auto bytes = symbol_bytes(symbol);
  if (!bytes) {
    return fail(Errc::not_found,
                "{} is no variable of the device: announce it with CANOPY_SYMBOL(name)",
                fmt::ptr(symbol));
  }
  return Symbol{static_cast<std::byte*>(const_cast<void*>(symbol)), *bytes};
}

Result<> copy_to_symbol(Runtime& runtime, const void* symbol, size_t offset, const void* src,
                        size_t count) {
  CANOPY_ASSIGN(std::byte * dst, part_of(runtime, symbol, offset, count));
  CANOPY_TRY(check_end(runtime, "source", src, count, Access::read));
  run_copy({dst, src, count});
  return {};
}

Result<> copy_from_symbol(Runtime& runtime, void* dst, size_t dst_max, const void* symbol,
                          size_t offset, size_t count) {
  CANOPY_TRY(check_room(dst_max, count));
  CANOPY_ASSIGN(const std::byte* src, part_of(runtime, symbol, offset, count));
  CANOPY_TRY(check_end(runtime, "destination", dst, count, Access::read_write));
  run_copy({dst, src, count});
  return {};
}

Result<> copy_to_symbol_on_stream(Runtime& runtime, const void* symbol, size_t offset,
                                  const void* src, size_t count, void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  const uint64_t frees = runtime.task_memory().frees();
  CANOPY_ASSIGN(std::byte * dst, part_of(runtime, symbol, offset, count));
  CANOPY_ASSIGN(const CopyEnd end, check_end(runtime, "source", src, count, Access::read));
  return queue(runtime, {dst, src, count}, src, end, frees, *stream);
}

Result<> copy_from_symbol_on_stream(Runtime& runtime, void* dst, size_t dst_max, const void* symbol,
                                    size_t offset, size_t count, void* handle) {
  CANOPY_TRY(check_room(dst_max, count));
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  const uint64_t frees = runtime.task_memory().frees();
  CANOPY_ASSIGN(const std::byte* src, part_of(runtime, symbol, offset, count));
  CANOPY_ASSIGN(const CopyEnd end, check_end(runtime, "destination", dst, count, Access::read_write));
  return queue(runtime, {dst, src, count}, dst, end, frees, *stream);
}

}  // namespace canopy
