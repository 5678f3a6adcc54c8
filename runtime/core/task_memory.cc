#include "runtime/core/task_memory.h"

#include "runtime/core/copy_check.h"
#include "runtime/core/runtime.h"

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

std::string TaskMemory::refuse(const void* dst, uint64_t dst_bytes, const void* src,
                               uint64_t src_bytes) const {
  std::string why = dst == nullptr ? std::string() : refuse_end(runtime_, "destination", dst, dst_bytes, Access::read_write);
  if (why.empty() && src != nullptr) {
    why = refuse_end(runtime_, "source", src, src_bytes, Access::read);
  }
  return why;
}

}  // namespace canopy
