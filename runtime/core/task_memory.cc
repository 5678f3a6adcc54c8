#include "runtime/core/task_memory.h"

#include "runtime/core/copy_check.h"
#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"

#include <cstring>

namespace canopy {
namespace {

// "" or the sentence. Runs on an executor: nobody else takes the sentence from its thread.
std::string refuse_end(Runtime& runtime, const char* end, const void* address, uint64_t bytes, Access wanted) {
  const auto range = check_copy_end(runtime, end, address, bytes, wanted, LookUp::running);
  if (!range) {
    return error_text::take_newest();
  }
  if (pageable(*range)) {
    return fmt::format("{} ({}) was freed or unregistered before the stream got there",
                       fmt::ptr(address), end);
  }
  return "";
}

}  // namespace

Result<> read_when_running(Runtime& runtime, const char* what, const void* address, void* out, uint64_t bytes) {
  const uint64_t frees = runtime.task_memory().frees();
  CANOPY_TRY(device_range(runtime, what, address, bytes, LookUp::running));
  return use_memory(runtime.task_memory(), frees, {nullptr, 0, address, bytes}, [&]() -> Result<> {
    std::memcpy(out, address, bytes);
    return {};
  });
}

bool TaskMemory::owner_is_gone(const TouchedRanges& ranges) const {
  const auto gone = [&](const void* address, uint64_t bytes) {
    const auto range = address == nullptr ? Result<MemoryRange>(MemoryRange{})
                                          : check_copy_end(runtime_, "", address, bytes, Access::read, LookUp::running);
    if (range) {
      return false;
    }
    error_text::take_newest();
    return range.error().code == Errc::peer_lost;
  };
  return gone(ranges.dst, ranges.dst_bytes) || gone(ranges.src, ranges.src_bytes);
}

std::string TaskMemory::refuse_unknown(const TouchedRanges& ranges) const {
  std::string why;
  if (ranges.dst != nullptr) {
    why = refuse_end(runtime_, "destination", ranges.dst, ranges.dst_bytes, Access::read_write);
  }
  if (why.empty() && ranges.src != nullptr) {
    why = refuse_end(runtime_, "source", ranges.src, ranges.src_bytes, Access::read);
  }
  return why;
}

}  // namespace canopy
