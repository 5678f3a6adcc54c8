#include "runtime/core/copy.h"

#include "runtime/core/copy_check.h"
#include "runtime/core/runtime.h"
#include "runtime/device/dma.h"
#include "runtime/device/dma_scope.h"

namespace canopy {
namespace {

Result<> refuse_host_to_host(const CopyEnds& ends) {
  if (!on_device(ends.dst) && !on_device(ends.src)) {
    return fail(Errc::not_supported, "an asynchronous copy from host to host");
  }
  return {};
}

struct Words {
  void* dst;
  size_t count;
  uint32_t value;
};

void run_copy_2d(const Copy2d& copy) {
  copy_rows(copy.dst, copy.dst_pitch, copy.src, copy.src_pitch, copy.width, copy.height);
}

void run_fill_words(const Words& words) { fill_words(words.dst, words.value, words.count); }

// From the first byte of the first row to the last of the last.
Result<size_t> span_of(size_t pitch, size_t width, size_t height) {
  size_t gaps = 0;
  size_t span = 0;
  if (__builtin_mul_overflow(pitch, height - 1, &gaps) ||
      __builtin_add_overflow(gaps, width, &span)) {
    return fail(Errc::invalid_argument, "{} rows {} bytes apart are more than an address space",
                height, pitch);
  }
  return span;
}

Result<CopyEnds> check_copy_2d(Runtime& runtime, const Copy2d& copy) {
  if (copy.width > copy.dst_pitch || copy.width > copy.src_pitch) {
    return fail(Errc::invalid_argument,
                "rows of {} bytes do not fit pitches of {} (destination) and {} (source)",
                copy.width, copy.dst_pitch, copy.src_pitch);
  }
  if (copy.width == 0 || copy.height == 0) {
    return check_ends(runtime, copy.dst, 0, copy.src, 0);
  }
  CANOPY_ASSIGN(const size_t dst_span, span_of(copy.dst_pitch, copy.width, copy.height));
  CANOPY_ASSIGN(const size_t src_span, span_of(copy.src_pitch, copy.width, copy.height));
  return check_ends(runtime, copy.dst, dst_span, copy.src, src_span);
}

Result<CopyEnds> check_fill(Runtime& runtime, void* dst, size_t dst_max, size_t count) {
  if (count > dst_max) {
    return fail(Errc::invalid_argument, "a fill of {} bytes into a destination of {} bytes", count,
                dst_max);
  }
  return check_fill_end(runtime, dst, count);
}

Result<CopyEnds> check_fill_words(Runtime& runtime, void* dst, size_t dst_max, size_t words) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(words, sizeof(uint32_t), &bytes)) {
    return fail(Errc::invalid_argument, "{} words of 32 bits are more than an address space",
                words);
  }
  if (reinterpret_cast<uintptr_t>(dst) % sizeof(uint32_t) != 0) {
    return fail(Errc::misaligned, "{} is not on a boundary of 4 bytes", fmt::ptr(dst));
  }
  return check_fill(runtime, dst, dst_max, bytes);
}

// The stream's device writes it.
Result<> check_stream_may_fill(Runtime& runtime, const Stream& stream, const CopyEnds& ends) {
  return ends.dst && ends.dst->kind == MemoryKind::device ? check_may_touch(runtime, *ends.dst, stream, Access::read_write)
                                                          : Result<>();
}

}  // namespace

Result<> copy_now(Runtime& runtime, void* dst, size_t dst_max, const void* src, size_t count) {
  CANOPY_ASSIGN(const CopyEnds ends, check_copy(runtime, dst, dst_max, src, count));
  if (count == 0 || dst == src) {
    return {};
  }
  return make_copy(runtime, ends, dst, src, count);
}

Result<> copy_on_stream(Runtime& runtime, void* dst, size_t dst_max, const void* src, size_t count,
                        void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_ASSIGN(const CopyEnds ends, check_copy(runtime, dst, dst_max, src, count));
  CANOPY_TRY(refuse_host_to_host(ends));
  if (count == 0 || dst == src) {
    return {};
  }
  if (pageable(ends.dst) || pageable(ends.src)) {
    CANOPY_TRY(stream->synchronize_to_copy());
    return make_copy(runtime, ends, dst, src, count);
  }
  if (ends.way != CopyWay::direct) {
    post_move(runtime, *stream, ends.frees, ends.way, dst, src, count);
    return count_copy(runtime, ends, count);
  }
  stream->post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::copy;
    sqe.body.copy = {dst, src, count, &runtime.task_memory(), ends.frees};
  });
  return count_copy(runtime, ends, count);
}

Result<> copy_2d_now(Runtime& runtime, const Copy2d& copy) {
  CANOPY_ASSIGN(const CopyEnds ends, check_copy_2d(runtime, copy));
  if (copy.width == 0 || copy.height == 0) {
    return {};
  }
  return make_copy(runtime, ends, copy);
}

Result<> copy_2d_on_stream(Runtime& runtime, const Copy2d& copy, void* handle) {
  // What the copy engines of devices take.
  constexpr size_t kMaxWidth = 5'000'000;
  constexpr size_t kMaxHeight = size_t{5} << 20;
  if (copy.width > kMaxWidth || copy.height > kMaxHeight) {
    return fail(Errc::invalid_argument,
                "{} rows of {} bytes: an asynchronous copy takes at most {} of {}", copy.height,
                copy.width, kMaxHeight, kMaxWidth);
  }
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_ASSIGN(const CopyEnds ends, check_copy_2d(runtime, copy));
  CANOPY_TRY(refuse_host_to_host(ends));
  if (copy.width == 0 || copy.height == 0) {
    return {};
  }
  if (pageable(ends.dst) || pageable(ends.src)) {
    CANOPY_TRY(stream->synchronize_to_copy());
    return make_copy(runtime, ends, copy);
  }
  if (ends.way != CopyWay::direct) {
    post_move_rows(runtime, *stream, ends.frees, ends.way, copy);
    return count_copy(runtime, ends, copy.width * copy.height);
  }
  const size_t dst_span = copy.dst_pitch * (copy.height - 1) + copy.width;  // as checked
  const size_t src_span = copy.src_pitch * (copy.height - 1) + copy.width;
  post_on_memory(*stream, runtime.task_memory(), ends.frees, {copy.dst, dst_span, copy.src, src_span},
                 run_copy_2d, copy, "copy 2d");
  return count_copy(runtime, ends, copy.width * copy.height);
}

Result<> fill_now(Runtime& runtime, void* dst, size_t dst_max, int32_t value, size_t count) {
  CANOPY_ASSIGN(const CopyEnds ends, check_fill(runtime, dst, dst_max, count));
  return make_fill(runtime, ends, dst, count, [&] { fill_bytes(dst, value, count); });
}

Result<> fill_on_stream(Runtime& runtime, void* dst, size_t dst_max, int32_t value, size_t count,
                        void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_ASSIGN(const CopyEnds ends, check_fill(runtime, dst, dst_max, count));
  if (count == 0) {
    return {};
  }
  if (pageable(ends.dst)) {
    CANOPY_TRY(stream->synchronize_to_copy());
    return make_fill(runtime, ends, dst, count, [&] { fill_bytes(dst, value, count); });
  }
  CANOPY_TRY(check_stream_may_fill(runtime, *stream, ends));
  stream->post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::fill;
    sqe.body.fill = {dst, count, value, &runtime.task_memory(), ends.frees};
  });
  return {};
}

Result<> fill_words_now(Runtime& runtime, void* dst, size_t dst_max, uint32_t value, size_t words) {
  CANOPY_ASSIGN(const CopyEnds ends, check_fill_words(runtime, dst, dst_max, words));
  return make_fill(runtime, ends, dst, words * sizeof(uint32_t), [&] { fill_words(dst, value, words); });
}

Result<> fill_words_on_stream(Runtime& runtime, void* dst, size_t dst_max, uint32_t value,
                              size_t words, void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_ASSIGN(const CopyEnds ends, check_fill_words(runtime, dst, dst_max, words));
  if (words == 0) {
    return {};
  }
  if (!on_device(ends.dst)) {
    CANOPY_TRY(stream->synchronize_to_copy());
    return make_fill(runtime, ends, dst, words * sizeof(uint32_t), [&] { fill_words(dst, value, words); });
  }
  CANOPY_TRY(check_stream_may_fill(runtime, *stream, ends));
  post_on_memory(*stream, runtime.task_memory(), ends.frees, {dst, words * sizeof(uint32_t), nullptr, 0},
                 run_fill_words, Words{dst, words, value}, "fill");
  return {};
}

}  // namespace canopy
