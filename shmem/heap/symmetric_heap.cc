#include "shmem/heap/symmetric_heap.h"

#include "runtime/base/log.h"
#include "shmem/heap/agreement.h"
#include "shmem/world/world.h"

#include <algorithm>
#include <cstring>

namespace canopy::shmem {
namespace {

const char* name_of(HeapKind kind) { return kind == HeapKind::host ? "host" : "device"; }

}  // namespace

void* SymmetricHeap::allocate(HeapRoutine routine, uint64_t size, uint64_t alignment) {
  if (size == 0) {
    return nullptr;
  }
  agree(world_, {.routine = routine, .kind = kind_, .size = size, .alignment = alignment});
  const auto offset = take(size, alignment);
  return offset ? base_ + *offset : nullptr;
}

// Says in the error text, and in the log, why there is nothing.
std::optional<uint64_t> SymmetricHeap::take(uint64_t size, uint64_t alignment) {
  // The first compare also keeps the allocator's rounding from wrapping.
  const bool possible = size <= bytes_ && alignment <= kMostAlignment;
  const auto offset =
      possible ? allocator_.allocate(size, std::max(alignment, kUnit)) : std::nullopt;
  if (alignment > kMostAlignment) {
    (void)fail(Errc::not_supported,
               "pe {}: the symmetric {} heap has no memory aligned to {} bytes: {} at most",
               world_.my_pe(), name_of(kind_), alignment, kMostAlignment);
    log(LogLevel::info, "{}", error_text::newest());
  } else if (!offset) {
    (void)fail(Errc::no_memory,
               "pe {}: the symmetric {} heap of {} bytes has no {} bytes aligned to {}: {} are "
               "free, the largest "
               "piece has {}",
               world_.my_pe(), name_of(kind_), bytes_, size, alignment, allocator_.free_bytes(),
               allocator_.largest_free());
    log(LogLevel::info, "{}", error_text::newest());
  }
  return offset;
}

void* SymmetricHeap::allocate_zeroed(uint64_t count, uint64_t size) {
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    bytes = ~uint64_t{0};  // no heap is that large: fails below, on every PE alike
  }
  void* block = allocate(HeapRoutine::calloc, bytes, kUnit);
  if (block != nullptr) {
    std::memset(block, 0, bytes);
    world_.barrier_all();  // nobody may write into a block that another PE has yet to clear
  }
  return block;
}

void* SymmetricHeap::reallocate(void* old, uint64_t size) {
  if (old == nullptr) {
    return allocate(HeapRoutine::malloc, size, kUnit);
  }
  if (size == 0) {
    release(old);
    return nullptr;
  }
  const auto [offset, old_size] = checked_block(old, "realloc");
  // Nobody writes into the old block any more once all are here.
  agree(world_, {.routine = HeapRoutine::realloc, .kind = kind_, .size = size, .offset = offset});
  const auto fresh = take(size, kUnit);
  if (!fresh) {
    return nullptr;
  }
  std::memcpy(base_ + *fresh, old, std::min(old_size, size));
  allocator_.free(offset);
  // Nobody puts into the new block before its contents were copied.
  world_.barrier_all();
  return base_ + *fresh;
}

void SymmetricHeap::release(void* address) {
  if (address == nullptr) {
    return;
  }
  const uint64_t offset = checked_block(address, "free").first;
  agree(world_, {.routine = HeapRoutine::free, .kind = kind_, .offset = offset});
  allocator_.free(offset);
}

std::pair<uint64_t, uint64_t> SymmetricHeap::checked_block(void* address,
                                                           const char* routine) const {
  const auto offset = static_cast<uint64_t>(static_cast<std::byte*>(address) - base_);
  const auto block = offset < bytes_ ? allocator_.find(offset) : std::nullopt;
  if (!block || block->first != offset) {
    world_.fail_job(
        kMisuseStatus,
        fmt::format(
            "pe {}: {}: {} was not allocated from the symmetric {} heap ({} bytes from {} on), "
            "or was freed already",
            world_.my_pe(), routine, fmt::ptr(address), name_of(kind_), bytes_, fmt::ptr(base_)));
  }
  return *block;
}

}  // namespace canopy::shmem
