#include "shmem/heap/symmetric_heap.h"

#include "runtime/base/log.h"
#include "shmem/debug/block_book.h"
#include "shmem/heap/agreement.h"
#include "shmem/world/world.h"

#include <algorithm>
#include <cstring>

namespace canopy::shmem {
namespace {

const char* name_of(HeapKind kind) { return kind == HeapKind::host ? "host" : "device"; }

}  // namespace

const char* routine_name(HeapRoutine routine, HeapKind kind) {
  constexpr const char* kNames[][2] = {
      {"shmem_malloc", "aclshmem_malloc"}, {"shmem_calloc", "aclshmem_calloc"},
      {"shmem_align", "aclshmem_align"},   {"shmem_realloc", "shmem_realloc"},
      {"shmem_free", "aclshmem_free"},     {"aclshmemx_init_attr", "aclshmemx_init_attr"}};
  return kNames[static_cast<size_t>(routine)][static_cast<size_t>(kind)];
}

void SymmetricHeap::announce(HeapRoutine routine, uint64_t size, const void* old) const {
  if (Guard* guard = world_.guard()) {
    guard->collective(world_.teams().all(), {.routine = routine_name(routine, kind_),
                                             .element_bytes = routine == HeapRoutine::free ? 0u : 1u,
                                             .nelems = size,
                                             .source = old});
  }
}

void* SymmetricHeap::allocate(HeapRoutine routine, uint64_t size, uint64_t alignment) {
  announce(routine, size, nullptr);
  if (size == 0) {
    return nullptr;
  }
  agree(world_, {.routine = routine, .kind = kind_, .size = size, .alignment = alignment});
  const auto offset = take(routine, size, alignment);
  return offset ? base_ + *offset : nullptr;
}

// Says in the error text, and in the log, why there is nothing.
std::optional<uint64_t> SymmetricHeap::take(HeapRoutine routine, uint64_t size, uint64_t alignment) {
  const std::lock_guard lock(mutex_);
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
  } else {
    note(routine, *offset, size);
  }
  return offset;
}

void SymmetricHeap::note(HeapRoutine routine, uint64_t offset, uint64_t size) {
  if (book_ != nullptr) {
    book_->add({.begin = reinterpret_cast<uintptr_t>(base_) + offset,
                .bytes = size,
                .routine = routine_name(routine, kind_),
                .allocated = call_site(),
                .freed = {}});
  }
}

void SymmetricHeap::give_back(uint64_t offset) {
  const std::lock_guard lock(mutex_);
  if (book_ != nullptr) {
    book_->remove(reinterpret_cast<uintptr_t>(base_) + offset, call_site());
  }
  allocator_.free(offset);
}

HeapInfo SymmetricHeap::info() const {
  const std::lock_guard lock(mutex_);
  return {bytes_, allocator_.free_bytes(), allocator_.largest_free(), allocator_.allocations()};
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
  announce(HeapRoutine::realloc, size, old);
  const auto [offset, old_size] = checked_block(old, HeapRoutine::realloc);
  // Nobody writes into the old block any more once all are here.
  agree(world_, {.routine = HeapRoutine::realloc, .kind = kind_, .size = size, .offset = offset});
  const auto fresh = take(HeapRoutine::realloc, size, kUnit);
  if (!fresh) {
    return nullptr;
  }
  std::memcpy(base_ + *fresh, old, std::min(old_size, size));
  give_back(offset);
  // Nobody puts into the new block before its contents were copied.
  world_.barrier_all();
  return base_ + *fresh;
}

void SymmetricHeap::release(void* address) {
  announce(HeapRoutine::free, address == nullptr ? 0 : 1, address);
  if (address == nullptr) {
    return;
  }
  const uint64_t offset = checked_block(address, HeapRoutine::free).first;
  agree(world_, {.routine = HeapRoutine::free, .kind = kind_, .offset = offset});
  give_back(offset);
}

std::pair<uint64_t, uint64_t> SymmetricHeap::checked_block(void* address,
                                                           HeapRoutine routine) const {
  const auto offset = static_cast<uint64_t>(static_cast<std::byte*>(address) - base_);
  std::unique_lock lock(mutex_);
  const auto block = offset < bytes_ ? allocator_.find(offset) : std::nullopt;
  lock.unlock();
  if (!block || block->first != offset) {
    const auto freed = book_ != nullptr ? book_->freed_at(reinterpret_cast<uintptr_t>(address)) : std::nullopt;
    const std::string what = freed ? fmt::format("was freed already in {}: {}", freed->freed.text(), freed->text())
                                   : fmt::format("was not allocated from the symmetric {} heap ({} bytes from {} on), or was freed already",
                                                 name_of(kind_), bytes_, fmt::ptr(base_));
    world_.fail_job(kMisuseStatus, fmt::format("pe {}: {}: {} {}", world_.my_pe(), routine_name(routine, kind_),
                                                    fmt::ptr(address), what));
  }
  return *block;
}

}  // namespace canopy::shmem
