// shmem.h: memory management. The host heap; free and realloc also take blocks of the device heap.
#include "shmem.h"
#include "shmem/sync/compare.h"
#include "shmem/world/world.h"

#include <algorithm>
#include <bit>

using namespace canopy::shmem;

namespace {

SymmetricHeap& heap(const char* routine) { return world_for(routine).host_heap(); }

// Where `ptr` came from; a pointer of neither heap goes to the host heap, which says so.
SymmetricHeap& heap_of(const void* ptr, const char* routine) {
  World& world = world_for(routine);
  SymmetricHeap* found = world.heap_of(ptr);
  return found != nullptr ? *found : world.host_heap();
}

}  // namespace

extern "C" {

void* shmem_malloc(size_t size) {
  return heap("shmem_malloc").allocate(HeapRoutine::malloc, size, SymmetricHeap::kUnit);
}

void* shmem_malloc_with_hints(size_t size, long) { return shmem_malloc(size); }

void* shmem_calloc(size_t count, size_t size) {
  return heap("shmem_calloc").allocate_zeroed(count, size);
}

void* shmem_align(size_t alignment, size_t size) {
  // Smaller powers of two are met anyway; what is no power of two can not be met.
  if (!std::has_single_bit(alignment)) {
    return nullptr;
  }
  return heap("shmem_align").allocate(HeapRoutine::align, size, alignment);
}

void* shmem_realloc(void* ptr, size_t size) {
  return heap_of(ptr, "shmem_realloc").reallocate(ptr, size);
}

void shmem_free(void* ptr) { heap_of(ptr, "shmem_free").release(ptr); }

}  // extern "C"
