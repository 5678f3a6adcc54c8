// shmem.h: memory management. The host heap; free and realloc also take blocks of the device heap.
#include "shmem/api/define.h"
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

void* pshmem_malloc(size_t size) {
  return heap("shmem_malloc").allocate(HeapRoutine::malloc, size, SymmetricHeap::kUnit);
}

void* pshmem_malloc_with_hints(size_t size, long) { return pshmem_malloc(size); }

void* pshmem_calloc(size_t count, size_t size) {
  return heap("shmem_calloc").allocate_zeroed(count, size);
}

void* pshmem_align(size_t alignment, size_t size) {
  // Smaller powers of two are met anyway; what is no power of two can not be met.
  if (!std::has_single_bit(alignment)) {
    return nullptr;
  }
  return heap("shmem_align").allocate(HeapRoutine::align, size, alignment);
}

void* pshmem_realloc(void* ptr, size_t size) {
  return heap_of(ptr, "shmem_realloc").reallocate(ptr, size);
}

void pshmem_free(void* ptr) { heap_of(ptr, "shmem_free").release(ptr); }

// ---- Deprecated since 1.2.
void* pshmalloc(size_t size) { return pshmem_malloc(size); }
void pshfree(void* ptr) { pshmem_free(ptr); }
void* pshrealloc(void* ptr, size_t size) { return pshmem_realloc(ptr, size); }
void* pshmemalign(size_t alignment, size_t size) { return pshmem_align(alignment, size); }

}  // extern "C"

SHMEMX_MEMORY_ROUTINES(CANOPY_ALIAS)
CANOPY_ALIAS_OF(shmalloc, pshmalloc)
CANOPY_ALIAS_OF(shfree, pshfree)
CANOPY_ALIAS_OF(shrealloc, pshrealloc)
CANOPY_ALIAS_OF(shmemalign, pshmemalign)
