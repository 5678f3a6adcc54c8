// What a copy or fill is allowed to touch: both ends looked up, and checked before anything moves.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/waiter.h"
#include "runtime/core/copy_way.h"
#include "runtime/driver/address_space.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace canopy {

class DeviceCores;
class Runtime;
class Stream;

// Nothing: pageable host memory, or the caller's mistake; the runtime cannot tell.
using CopyEnd = std::optional<MemoryRange>;

struct CopyEnds {
  CopyEnd dst;
  CopyEnd src;
  CopyWay way = CopyWay::direct;
  uint64_t frees = 0;  // of the task memory, from before they were checked
};

inline bool pageable(const CopyEnd& end) { return !end; }
// Managed memory is memory of every device.
inline bool on_device(const CopyEnd& end) { return end && end->kind != MemoryKind::pinned_host; }

// When a task is queued its memory must be live. When it runs, blocks of stream-ordered pools may
// have been freed behind it: they are there as long as their pool keeps them.
enum class LookUp : uint8_t { queued, running };

// Whether `device` may touch memory of a device so: its own, a peer's, or as aclrtMemSetAccess says.
bool may_touch(Runtime& runtime, const MemoryRange& range, int device, Access wanted);
// The same of memory of a device and a stream's device. Errc::no_permission, with what has to come first.
Result<> check_may_touch(Runtime& runtime, const MemoryRange& range, const Stream& stream, Access wanted);

// Errc::invalid_argument when [address, +count) lies in no live allocation although only ours can
// lie there, or reaches past the end of one. `end` names it in the sentence.
Result<CopyEnd> check_end(Runtime& runtime, const char* end, const void* address, size_t count,
                          Access wanted, LookUp when = LookUp::queued);
// The same for an end of a copy, which may lie on another host; elsewhere that is Errc::not_supported.
Result<CopyEnd> check_copy_end(Runtime& runtime, const char* end, const void* address, size_t count,
                               Access wanted, LookUp when = LookUp::queued);
// Both ends of a copy, from `dst_count` and `src_count` bytes on: rows and their gaps may differ.
// Errc::no_permission: two devices without peer access; not_supported: both lie on other hosts; device_lost: one of
// the devices; link_down: that between them.
Result<CopyEnds> check_ends(Runtime& runtime, void* dst, size_t dst_count, const void* src,
                            size_t src_count, LookUp when = LookUp::queued);
// Also count <= dst_max.
Result<CopyEnds> check_copy(Runtime& runtime, void* dst, size_t dst_max, const void* src,
                            size_t count);

// The end of a fill. Errors as check_end(); device_lost.
Result<CopyEnds> check_fill_end(Runtime& runtime, void* dst, size_t count);
// A checked fill of `bytes` at `dst`, made here and now by fill(). Errc::invalid_argument: freed meanwhile.
Result<> make_fill(Runtime& runtime, const CopyEnds& ends, void* dst, size_t bytes, FunctionRef<void()> fill);

// A checked copy, made here and now: by a copy engine of the device that it writes, else of the one that it reads. Counted.
// Errc::invalid_argument: memory of ours was freed meanwhile.
Result<> make_copy(Runtime& runtime, const CopyEnds& ends, void* dst, const void* src, size_t bytes);
Result<> make_copy(Runtime& runtime, const CopyEnds& ends, const Copy2d& copy);
// That device, if a copy of so many bytes counts (device/dma_scope.h); else null.
DeviceCores* engine_of(Runtime& runtime, const CopyEnds& ends, uint64_t bytes);
// For the host's counts of traffic: `bytes` of a checked copy that has been made, or queued, unless `done` is a failure.
// Returns `done`.
Result<> count_copy(Runtime& runtime, const CopyEnds& ends, uint64_t bytes, Result<> done = {});

}  // namespace canopy
