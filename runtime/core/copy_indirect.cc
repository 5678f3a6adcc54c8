#include "runtime/core/copy_indirect.h"

#include "runtime/core/copy_check.h"
#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/dma.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace canopy {
namespace {

// ---- Descriptors, as they lie in device memory.

struct Descriptor {
  uint64_t kind;
  const void* src;
  void* dst;
  uint64_t bytes;
  uint64_t reserved[4];
};
static_assert(sizeof(Descriptor) == kDescriptorBytes);
constexpr uint64_t kCopyKind = 0x79706f63'79706f63;
constexpr uint64_t kCacheKind = 0x656d6f63'656d6f63;

// ---- Tasks.

struct Task {
  Runtime* runtime;
  Strand* strand;
};

// Runs on an executor: what failed there has nobody to return to.
void end_task(const Task& task, const Result<>& done) {
  if (!done) {
    task.strand->record_error(kCopyFault, error_text::take_newest());
  }
}

Result<> copy_checked(Runtime& runtime, void* dst, const void* src, size_t count) {
  CANOPY_ASSIGN(const CopyEnds ends, check_ends(runtime, dst, count, src, count, LookUp::running));
  if (count != 0 && (pageable(ends.dst) || pageable(ends.src))) {
    return fail(Errc::invalid_argument,
                "a copy in stream order from {} to {} needs device or pinned memory at both ends",
                fmt::ptr(src), fmt::ptr(dst));
  }
  if (count == 0 || dst == src) {
    return {};
  }
  return make_copy(runtime, ends, dst, src, count);
}

// The address that lies in device or pinned memory.
template <class Address>
Result<Address> read_address(Runtime& runtime, const char* what, Address* from) {
  const uint64_t frees = runtime.task_memory().frees();
  CANOPY_ASSIGN(const CopyEnd range, check_end(runtime, what, from, sizeof *from, Access::read, LookUp::running));
  if (pageable(range)) {
    return fail(Errc::invalid_argument, "{} ({}) was freed", fmt::ptr(from), what);
  }
  Address address = nullptr;
  CANOPY_TRY(use_memory(runtime.task_memory(), frees, {nullptr, 0, from, sizeof *from}, [&]() -> Result<> {
    address = *from;
    return {};
  }));
  return address;
}

void touch(const void* address, size_t bytes) {
  constexpr size_t kMost = size_t{4} << 20;  // about what a cache near a core holds
  const auto* line = static_cast<const std::byte*>(address);
  for (size_t at = 0; at < std::min(bytes, kMost); at += kCacheLine) {
    __builtin_prefetch(line + at);
  }
}

struct OffsetTask {
  Task task;
  OffsetCopy copy;  // a null cell: the base is known already
  void* dst_base;
  const void* src_base;
};

void run_offset_copy(void* argument) {
  const auto& [task, copy, dst_base, src_base] = *static_cast<const OffsetTask*>(argument);
  const auto run = [&]() -> Result<> {
    void* to = dst_base;
    const void* from = src_base;
    if (copy.dst != nullptr) {
      CANOPY_ASSIGN(to, read_address(*task.runtime, "destination's address", copy.dst));
    }
    if (copy.src != nullptr) {
      CANOPY_ASSIGN(from, read_address(*task.runtime, "source's address", copy.src));
    }
    auto* dst = static_cast<std::byte*>(to);
    const auto* src = static_cast<const std::byte*>(from);
    return copy_checked(*task.runtime, dst + copy.dst_offset, src + copy.src_offset, copy.count);
  };
  end_task(task, run());
}

struct DescriptorTask {
  Task task;
  void* descriptor;
  bool prefetch;
};

Result<Descriptor> read_descriptor(const DescriptorTask& task, uint64_t kind) {
  Descriptor descriptor;
  CANOPY_TRY(read_when_running(*task.task.runtime, "descriptor", task.descriptor, &descriptor, sizeof descriptor));
  if (descriptor.kind != kind) {
    return fail(Errc::invalid_argument, "the memory at {} is no descriptor of this kind",
                fmt::ptr(task.descriptor));
  }
  return descriptor;
}

void run_descriptor_copy(void* argument) {
  const auto& task = *static_cast<const DescriptorTask*>(argument);
  end_task(task.task, read_descriptor(task, kCopyKind).and_then([&](const Descriptor& found) {
    return copy_checked(*task.task.runtime, found.dst, found.src, found.bytes);
  }));
}

void run_descriptor_cache(void* argument) {
  const auto& task = *static_cast<const DescriptorTask*>(argument);
  end_task(task.task,
           read_descriptor(task, kCacheKind).and_then([&](const Descriptor& found) -> Result<> {
             CANOPY_TRY(device_range(*task.task.runtime, "range", found.src, found.bytes,
                                     LookUp::running));
             if (task.prefetch) {
               touch(found.src, found.bytes);
             }
             return {};
           }));
}

struct TouchTask {
  const void* address;
  size_t bytes;
};

void run_touch(void* argument) {
  const auto& task = *static_cast<const TouchTask*>(argument);
  touch(task.address, task.bytes);  // of memory that was freed meanwhile it does nothing
}

template <class Argument>
void post(Stream& stream, CallFunction function, const Argument& argument, const char* what) {
  stream.post(sizeof(Argument), [&](Sqe& sqe, std::byte* memory) {
    sqe.kind = SqeKind::call;
    sqe.body.call = {function, new (memory) Argument(argument), what};
  });
}

Result<> post_descriptor(Runtime& runtime, void* descriptor, bool prefetch, void* handle,
                         CallFunction function, const char* what) {
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_TRY(device_range(runtime, "descriptor", descriptor, kDescriptorBytes));
  post(*stream, function, DescriptorTask{{&runtime, &stream->strand()}, descriptor, prefetch},
       what);
  return {};
}

Result<> write_descriptor(Runtime& runtime, void* at, const Descriptor& descriptor) {
  const uint64_t frees = runtime.task_memory().frees();
  CANOPY_TRY(device_range(runtime, "descriptor", at, kDescriptorBytes));
  return use_memory(runtime.task_memory(), frees, {at, kDescriptorBytes, nullptr, 0}, [&]() -> Result<> {
    std::memcpy(at, &descriptor, sizeof descriptor);
    return {};
  });
}

}  // namespace

Result<> copy_with_offset(Runtime& runtime, const OffsetCopy& copy, size_t dst_max, void* handle) {
  if (copy.count > dst_max) {
    return fail(Errc::invalid_argument, "a copy of {} bytes into a destination of {} bytes",
                copy.count, dst_max);
  }
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_ASSIGN(const CopyEnd dst_cell,
                check_end(runtime, "destination's address", copy.dst, sizeof(void*), Access::read));
  CANOPY_ASSIGN(const CopyEnd src_cell,
                check_end(runtime, "source's address", copy.src, sizeof(void*), Access::read));
  OffsetTask task = {{&runtime, &stream->strand()}, copy, nullptr, nullptr};
  if (pageable(dst_cell)) {
    task.dst_base = *std::exchange(task.copy.dst, nullptr);
  }
  if (pageable(src_cell)) {
    task.src_base = *std::exchange(task.copy.src, nullptr);
  }
  post(*stream, run_offset_copy, task, "copy with offset");
  return {};
}

Result<> set_copy_descriptor(Runtime& runtime, void* descriptor, const void* src, void* dst,
                             size_t count) {
  CANOPY_ASSIGN(const MemoryRange from, device_range(runtime, "source", src, count));
  CANOPY_ASSIGN(const MemoryRange to, device_range(runtime, "destination", dst, count));
  if (from.kind == MemoryKind::device && to.kind == MemoryKind::device &&
      from.device != to.device) {
    return fail(Errc::invalid_argument,
                "a descriptor for a copy from device {} to device {}: they are for one device",
                from.device, to.device);
  }
  return write_descriptor(runtime, descriptor, {kCopyKind, src, dst, count, {}});
}

Result<> copy_with_descriptor(Runtime& runtime, void* descriptor, void* stream) {
  return post_descriptor(runtime, descriptor, false, stream, run_descriptor_copy,
                         "copy with descriptor");
}

Result<> prefetch_to_cache(Runtime& runtime, const void* address, size_t bytes, void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_TRY(device_range(runtime, "range", address, bytes));
  post(*stream, run_touch, TouchTask{address, bytes}, "cache prefetch");
  return {};
}

Result<> set_cache_descriptor(Runtime& runtime, void* descriptor, const void* address,
                              size_t bytes) {
  CANOPY_TRY(device_range(runtime, "range", address, bytes));
  return write_descriptor(runtime, descriptor, {kCacheKind, address, nullptr, bytes, {}});
}

Result<> cache_with_descriptor(Runtime& runtime, void* descriptor, bool prefetch, void* stream) {
  return post_descriptor(runtime, descriptor, prefetch, stream, run_descriptor_cache,
                         "cache maintenance");
}

}  // namespace canopy
