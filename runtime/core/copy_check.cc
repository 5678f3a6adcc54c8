#include "runtime/core/copy_check.h"

#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"
#include "runtime/device/dma_scope.h"

#include <algorithm>

namespace canopy {
namespace {

bool one_device(const CopyEnd& end) { return end && end->kind == MemoryKind::device; }

// Faults on purpose. What another host's devices suffer is that host's to say.
Result<> check_faults(Runtime& runtime, const CopyEnds& ends) {
  CANOPY_ASSIGN(const Driver* driver, runtime.driver());
  const auto of_this_host = [](const CopyEnd& end) { return one_device(end) && !end->remote; };
  for (const CopyEnd* end : {&ends.dst, &ends.src}) {
    if (of_this_host(*end)) {
      CANOPY_TRY(driver->reports().check_usable((*end)->device));
    }
  }
  return of_this_host(ends.dst) && of_this_host(ends.src)
             ? driver->reports().check_link(ends.src->device, ends.dst->device)
             : Result<>();
}

// One of the two devices must be able to do the copy.
Result<> check_pair(Runtime& runtime, const MemoryRange& dst, const MemoryRange& src) {
  for (const int device : {dst.device, src.device}) {
    if (may_touch(runtime, dst, device, Access::read_write) && may_touch(runtime, src, device, Access::read)) {
      return {};
    }
  }
  CANOPY_ASSIGN(const Driver* driver, runtime.driver());
  const bool by_grant = dst.mapped || src.mapped;
  return fail(Errc::no_permission, "a copy from device {} to device {}: {}", src.device, dst.device,
              by_grant ? "aclrtMemSetAccess has to come first" : PeerAccess::remedy(driver->machine(), src.device, dst.device));
}

Result<CopyWay> way_between(Runtime& runtime, const CopyEnds& ends) {
  const bool to_remote = ends.dst && ends.dst->remote;
  const bool from_remote = ends.src && ends.src->remote;
  if (to_remote && from_remote) {
    return fail(Errc::not_supported, "a copy from {} to {}, which both are memory of other hosts: one end must be of this one",
                fmt::ptr(ends.src->base), fmt::ptr(ends.dst->base));
  }
  if (to_remote || from_remote) {
    return CopyWay::remote;
  }
  if (!one_device(ends.dst) || !one_device(ends.src) || ends.dst->device == ends.src->device || ends.dst->peer_mapped ||
      ends.src->peer_mapped) {
    return CopyWay::direct;
  }
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  const auto path = driver->machine().link(ends.src->device, ends.dst->device).path;
  return path == topology::PeerPath::staged ? CopyWay::staged : CopyWay::direct;
}

// Ordinary memory of the caller may be freed by who it belongs to; all else is kept until move() is done.
template <class Move>
Result<> touch_ends(Runtime& runtime, const CopyEnds& ends, TouchedRanges ranges, Move&& move) {
  const DmaScope engine(engine_of(runtime, ends, std::max(ranges.dst_bytes, ranges.src_bytes)));
  ranges.dst = pageable(ends.dst) ? nullptr : ranges.dst;
  ranges.src = pageable(ends.src) ? nullptr : ranges.src;
  return use_memory(runtime.task_memory(), ends.frees, ranges, move);
}

}  // namespace

bool may_touch(Runtime& runtime, const MemoryRange& range, int device, Access wanted) {
  if (range.mapped) {
    return range.rights.of(device) >= wanted;
  }
  // A peer PE's heap is mapped here on purpose: that mapping is the access.
  return range.peer_mapped || runtime.peers().enabled(device, range.device);
}

Result<> check_may_touch(Runtime& runtime, const MemoryRange& range, const Stream& stream, Access wanted) {
  const int device = stream.context().device_id();
  if (may_touch(runtime, range, device, wanted)) {
    return {};
  }
  if (range.mapped) {
    return fail(Errc::no_permission, "stream {} is of device {}, which may not {} memory of device {} mapped at {}: "
                "aclrtMemSetAccess has to come first", stream.id(), device, wanted == Access::read ? "read" : "write",
                range.device, fmt::ptr(range.base));
  }
  CANOPY_ASSIGN(const Driver* driver, runtime.driver());
  return fail(Errc::no_permission, "stream {} is of device {}, the memory is of device {}: {}", stream.id(), device,
              range.device, PeerAccess::remedy(driver->machine(), device, range.device));
}

Result<CopyEnd> check_copy_end(Runtime& runtime, const char* end, const void* address, size_t count,
                               Access wanted, LookUp when) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_ASSIGN(CopyEnd range, find_allocation(runtime, address, when));
  if (!range) {
    if (count != 0 && (driver->is_pool_address(address) || runtime.pools().contains(address))) {
      return fail(Errc::invalid_argument,
                  "{} ({}) lies in no live allocation: freed, or never given out",
                  fmt::ptr(address), end);
    }
    return range;
  }
  if (range->contains(address, count)) {
    CANOPY_TRY(check_there(*range, end, address, wanted));
    return range;
  }
  if (range->registered) {
    return CopyEnd();  // the rest is ordinary memory of the caller, so all of it is treated so
  }
  return fail(Errc::invalid_argument,
              "{} bytes at {} ({}) run past the end of their allocation of {} bytes at {}", count,
              fmt::ptr(address), end, range->bytes, fmt::ptr(range->base));
}

Result<CopyEnd> check_end(Runtime& runtime, const char* end, const void* address, size_t count,
                          Access wanted, LookUp when) {
  CANOPY_ASSIGN(CopyEnd range, check_copy_end(runtime, end, address, count, wanted, when));
  if (range) {
    CANOPY_TRY(check_on_this_host(*range, end, address));
  }
  return range;
}

Result<CopyEnds> check_fill_end(Runtime& runtime, void* dst, size_t count) {
  runtime.device_news().look();
  CopyEnds ends;
  ends.frees = runtime.task_memory().frees();
  CANOPY_ASSIGN(ends.dst, check_end(runtime, "destination", dst, count, Access::read_write));
  CANOPY_TRY(check_faults(runtime, ends));
  return ends;
}

Result<> make_fill(Runtime& runtime, const CopyEnds& ends, void* dst, size_t bytes, FunctionRef<void()> fill) {
  return touch_ends(runtime, ends, {dst, bytes, nullptr, 0}, [&]() -> Result<> {
    fill();
    return {};
  });
}

Result<CopyEnds> check_ends(Runtime& runtime, void* dst, size_t dst_count, const void* src,
                            size_t src_count, LookUp when) {
  if (when == LookUp::queued) {
    runtime.device_news().look();
  }
  CopyEnds ends;
  ends.frees = runtime.task_memory().frees();
  CANOPY_ASSIGN(ends.dst, check_copy_end(runtime, "destination", dst, dst_count, Access::read_write, when));
  CANOPY_ASSIGN(ends.src, check_copy_end(runtime, "source", src, src_count, Access::read, when));
  CANOPY_TRY(check_faults(runtime, ends));
  if (one_device(ends.dst) && one_device(ends.src) &&
      (ends.dst->device != ends.src->device || ends.dst->mapped || ends.src->mapped)) {
    CANOPY_TRY(check_pair(runtime, *ends.dst, *ends.src));
  }
  CANOPY_ASSIGN(ends.way, way_between(runtime, ends));
  return ends;
}

Result<> count_copy(Runtime& runtime, const CopyEnds& ends, uint64_t bytes, Result<> done) {
  if (const auto driver = runtime.driver(); driver && done) {
    (*driver)->reports().copied(ends.dst, ends.src, bytes);
  }
  return done;
}

DeviceCores* engine_of(Runtime& runtime, const CopyEnds& ends, uint64_t bytes) {
  const auto driver = DmaScope::counts(bytes) ? runtime.driver() : Result<Driver*>(nullptr);
  if (!driver || *driver == nullptr) [[likely]] {
    return nullptr;
  }
  for (const CopyEnd* end : {&ends.dst, &ends.src}) {
    Device* device = one_device(*end) && !(*end)->remote ? (*driver)->find_device((*end)->device) : nullptr;
    if (device != nullptr) {
      return &device->cores();
    }
  }
  return nullptr;
}

Result<> make_copy(Runtime& runtime, const CopyEnds& ends, void* dst, const void* src, size_t bytes) {
  const Result<> done = touch_ends(runtime, ends, {dst, bytes, src, bytes},
                                   [&] { return move_bytes(runtime, ends.way, dst, src, bytes); });
  return count_copy(runtime, ends, bytes, done);
}

Result<> make_copy(Runtime& runtime, const CopyEnds& ends, const Copy2d& copy) {
  const size_t dst_span = copy.dst_pitch * (copy.height - 1) + copy.width;  // as checked
  const size_t src_span = copy.src_pitch * (copy.height - 1) + copy.width;
  const Result<> done = touch_ends(runtime, ends, {copy.dst, dst_span, copy.src, src_span},
                                   [&] { return move_rows(runtime, ends.way, copy); });
  return count_copy(runtime, ends, copy.width * copy.height, done);
}

Result<CopyEnds> check_copy(Runtime& runtime, void* dst, size_t dst_max, const void* src,
                            size_t count) {
  if (count > dst_max) {
    return fail(Errc::invalid_argument, "a copy of {} bytes into a destination of {} bytes", count,
                dst_max);
  }
  return check_ends(runtime, dst, count, src, count);
}

}  // namespace canopy
