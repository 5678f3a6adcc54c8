#include "runtime/core/memory.h"

#include "runtime/core/runtime.h"
#include "runtime/device/dma.h"

#include <optional>

namespace canopy {
namespace {

struct Ends {
  std::optional<MemoryRange> dst;
  std::optional<MemoryRange> src;
};

// A known allocation must hold all of [address, +count).
Result<std::optional<MemoryRange>> classify(const Driver& driver, const char* end, const void* address, size_t count) {
  auto range = driver.find_memory(address);
  if (!range && count != 0 && driver.is_pool_address(address)) {
    return fail(Errc::invalid_argument, "{} ({}) lies in no live allocation: freed, or never given out", fmt::ptr(address),
                end);
  }
  if (range && !range->contains(address, count)) {
    return fail(Errc::invalid_argument, "{} bytes at {} ({}) run past the end of their allocation of {} bytes at {}",
                count, fmt::ptr(address), end, range->bytes, fmt::ptr(range->base));
  }
  return range;
}

Result<Ends> check_copy(Runtime& runtime, void* dst, size_t dst_max, const void* src, size_t count) {
  if (count > dst_max) {
    return fail(Errc::invalid_argument, "a copy of {} bytes into a destination of {} bytes", count, dst_max);
  }
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  Ends ends;
  CANOPY_ASSIGN(ends.dst, classify(*driver, "destination", dst, count));
  CANOPY_ASSIGN(ends.src, classify(*driver, "source", src, count));
  const bool two_devices = ends.dst && ends.src && ends.dst->kind == MemoryKind::device &&
                           ends.src->kind == MemoryKind::device && ends.dst->device != ends.src->device;
  // A peer PE's heap is mapped here on purpose: that mapping is the access.
  if (two_devices && !ends.dst->peer_mapped && !ends.src->peer_mapped) {
    const int a = ends.dst->device;
    const int b = ends.src->device;
    if (!runtime.peers().enabled(a, b) && !runtime.peers().enabled(b, a)) {
      return fail(Errc::no_permission,
                  "a copy from device {} to device {} needs aclrtDeviceEnablePeerAccess first", b, a);
    }
  }
  return ends;
}

bool pageable(const std::optional<MemoryRange>& range) { return !range; }
bool on_device(const std::optional<MemoryRange>& range) {
  return range && range->kind == MemoryKind::device;
}

}  // namespace

Result<> copy_now(Runtime& runtime, void* dst, size_t dst_max, const void* src, size_t count) {
  CANOPY_TRY(check_copy(runtime, dst, dst_max, src, count));
  if (count != 0 && dst != src) {
    copy_bytes(dst, src, count);
  }
  return {};
}

Result<> copy_on_stream(Runtime& runtime, void* dst, size_t dst_max, const void* src, size_t count, void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_ASSIGN(const Ends ends, check_copy(runtime, dst, dst_max, src, count));
  if (!on_device(ends.dst) && !on_device(ends.src)) {
    return fail(Errc::not_supported, "an asynchronous copy from host to host");
  }
  if (count == 0 || dst == src) {
    return {};
  }
  if (pageable(ends.dst) || pageable(ends.src)) {
    CANOPY_TRY(stream->synchronize(Deadline::never()));
    copy_bytes(dst, src, count);
    return {};
  }
  stream->post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::copy;
    sqe.body.copy = {dst, src, count};
  });
  return {};
}

Result<> fill_now(Runtime& runtime, void* dst, size_t dst_max, int32_t value, size_t count) {
  if (count > dst_max) {
    return fail(Errc::invalid_argument, "a fill of {} bytes into a destination of {} bytes", count, dst_max);
  }
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_TRY(classify(*driver, "destination", dst, count));
  fill_bytes(dst, value, count);
  return {};
}

Result<> fill_on_stream(Runtime& runtime, void* dst, size_t dst_max, int32_t value, size_t count, void* handle) {
  if (count > dst_max) {
    return fail(Errc::invalid_argument, "a fill of {} bytes into a destination of {} bytes", count, dst_max);
  }
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_ASSIGN(const auto range, classify(*driver, "destination", dst, count));
  if (count == 0) {
    return {};
  }
  if (pageable(range)) {
    CANOPY_TRY(stream->synchronize(Deadline::never()));
    fill_bytes(dst, value, count);
    return {};
  }
  stream->post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::fill;
    sqe.body.fill = {dst, count, value};
  });
  return {};
}

Result<void*> allocate_device(Runtime& runtime, size_t bytes) {
  CANOPY_ASSIGN(Context * context, runtime.current_context());
  const uint64_t capacity = context->device().npu().hbm_bytes;
  if (bytes > capacity) {
    return fail(Errc::no_memory, "device {}: {} bytes wanted, {} in all", context->device_id(), bytes, capacity);
  }
  // As devices count it: steps of 32 bytes and one more.
  return context->device().memory().allocate((bytes + 31) / 32 * 32 + 32);
}

Result<> free_device(Runtime& runtime, void* address) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  for (int id = 0; id < driver->machine().count(); ++id) {
    Device* device = driver->find_device(id);
    if (device != nullptr && device->memory().contains(address)) {
      return device->memory().free(address);
    }
  }
  return fail(Errc::invalid_argument, "{} is not device memory that aclrtMalloc gave out", fmt::ptr(address));
}

Result<void*> allocate_pinned(Runtime& runtime, size_t bytes) {
  CANOPY_TRY(runtime.current_context());
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_ASSIGN(MemoryPool * pool, driver->host_memory());
  return pool->allocate(bytes);
}

Result<> free_pinned(Runtime& runtime, void* address) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_ASSIGN(MemoryPool * pool, driver->host_memory());
  if (!pool->contains(address)) {
    return fail(Errc::invalid_argument, "{} is not memory that aclrtMallocHost gave out", fmt::ptr(address));
  }
  return pool->free(address);
}

}  // namespace canopy
