#include "runtime/core/value.h"

#include "runtime/core/copy_check.h"
#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"

namespace canopy {
namespace {

Result<uint64_t*> device_word(Runtime& runtime, void* address, Stream& stream, Access wanted) {
  if (reinterpret_cast<uintptr_t>(address) % sizeof(uint64_t) != 0) {
    return fail(Errc::misaligned, "stream {}: {} is not a multiple of 8", stream.id(),
                fmt::ptr(address));
  }
  CANOPY_ASSIGN(const auto range, find_allocation(runtime, address));
  if (!range || range->kind == MemoryKind::pinned_host ||
      !range->contains(address, sizeof(uint64_t))) {
    return fail(Errc::invalid_argument, "stream {}: 8 bytes at {} are not device memory",
                stream.id(), fmt::ptr(address));
  }
  CANOPY_TRY(check_on_this_host(*range, "word", address));
  CANOPY_TRY(check_there(*range, "word", address, wanted));
  if (range->kind == MemoryKind::device) {
    CANOPY_TRY(check_may_touch(runtime, *range, stream, wanted));
  }
  return static_cast<uint64_t*>(address);
}

}  // namespace

Result<> write_value(Runtime& runtime, void* address, uint64_t value, Stream& stream) {
  const TaskMemory& memory = runtime.task_memory();
  const uint64_t frees = memory.frees();  // before the check
  CANOPY_ASSIGN(uint64_t * word, device_word(runtime, address, stream, Access::read_write));
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::value_write;
    sqe.body.value = {word, value, ValueTest::equal, &memory, frees};
  });
  return {};
}

Result<> wait_for_value(Runtime& runtime, void* address, uint64_t value, ValueTest test,
                        Stream& stream) {
  const TaskMemory& memory = runtime.task_memory();
  const uint64_t frees = memory.frees();  // before the check
  CANOPY_ASSIGN(uint64_t * word, device_word(runtime, address, stream, Access::read));
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::value_wait;
    sqe.body.value = {word, value, test, &memory, frees};
  });
  return {};
}

}  // namespace canopy
