#include "runtime/core/reduce.h"

#include "runtime/core/copy_check.h"
#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"

namespace canopy {
namespace {

struct Reduction {
  void* dst;
  const void* src;
  size_t elements;
  ReduceFunction function;
  ReduceType type;
  // Of the stream when the reduction was queued: see core/overflow.h.
  bool saturates;
  bool detects_overflow;
  DeviceCores* device;
};

void run_reduction(const Reduction& reduction) {
  reduction.function(reduction.dst, reduction.src, reduction.elements);
  if ((reduction.saturates || reduction.detects_overflow) &&
      find_infinite(reduction.dst, reduction.elements, reduction.type, reduction.saturates) &&
      reduction.detects_overflow) {
    reduction.device->raise_overflow();
  }
}

Result<> check_operand(Runtime& runtime, const Stream& stream, const char* what,
                       const void* address, uint64_t bytes, size_t element, Access wanted) {
  if (reinterpret_cast<uintptr_t>(address) % element != 0) {
    return fail(Errc::misaligned, "{} ({}) is not on a boundary of {} bytes", fmt::ptr(address),
                what, element);
  }
  CANOPY_ASSIGN(const MemoryRange range, device_range(runtime, what, address, bytes, LookUp::queued, wanted));
  const int device = stream.context().device_id();
  if (range.kind == MemoryKind::device && range.device != device) {
    return fail(Errc::invalid_argument, "{} ({}) lies on device {}, stream {} is of device {}",
                fmt::ptr(address), what, range.device, stream.id(), device);
  }
  return range.kind == MemoryKind::device ? check_may_touch(runtime, range, stream, wanted) : Result<>();
}

}  // namespace

Result<> reduce_on_stream(Runtime& runtime, void* dst, const void* src, uint64_t bytes,
                          ReduceKind kind, ReduceType type, void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  const uint64_t frees = runtime.task_memory().frees();
  const size_t element = element_bytes(type);
  if (bytes % element != 0) {
    return fail(Errc::invalid_argument, "a reduction of {} bytes, elements have {}", bytes,
                element);
  }
  CANOPY_TRY(check_operand(runtime, *stream, "destination", dst, bytes, element, Access::read_write));
  CANOPY_TRY(check_operand(runtime, *stream, "source", src, bytes, element, Access::read));
  if (bytes == 0) {
    return {};
  }
  post_on_memory(*stream, runtime.task_memory(), frees, {dst, bytes, src, bytes}, run_reduction,
                 Reduction{dst, src, bytes / element, reducer(kind, type), type, stream->settings().saturates,
                           stream->settings().overflow_switch != 0, &stream->context().device().cores()}, "reduce");
  return {};
}

}  // namespace canopy
