// aclshmem.h: setup, queries and memory.
#include "aclshmem.h"
#include "runtime/base/log.h"
#include "shmem.h"
#include "shmem/api/session.h"
#include "shmem/sync/compare.h"
#include "shmem/world/world.h"

#include <atomic>
#include <bit>

using namespace canopy;
using namespace canopy::shmem;

namespace {

constexpr uint64_t kHeapUnit = 2u << 20;
constexpr uint64_t kHeapMost = 40ull << 30;

// Whether aclshmemx_init_attr counts among the session's users.
std::atomic<bool> initialised{false};

int code_of(const Error& error) {
  switch (error.code) {
    case Errc::invalid_argument:
      return ACLSHMEM_INVALID_PARAM;
    case Errc::out_of_range:
    case Errc::misaligned:
      return ACLSHMEM_INVALID_VALUE;
    case Errc::no_memory:
    case Errc::no_device:
    case Errc::bad_device:
      return ACLSHMEM_MALLOC_FAILED;
    case Errc::not_initialized:
      return ACLSHMEM_NOT_INITED;
    case Errc::timeout:
      return ACLSHMEM_TIMEOUT_ERROR;
    case Errc::not_supported:
      return ACLSHMEM_NOT_SUPPORTED;
    case Errc::peer_lost:
      return ACLSHMEM_BOOTSTRAP_ERROR;
    default:
      return ACLSHMEM_INNER_ERROR;
  }
}

int told(const Result<>& result) {
  if (result) {
    return ACLSHMEM_SUCCESS;
  }
  report(error_text::newest());
  return code_of(result.error());
}

Result<> check(aclshmemx_bootstrap_t flags, const aclshmemx_init_attr_t* attributes) {
  if (attributes == nullptr) {
    return fail(Errc::invalid_argument, "aclshmemx_init_attr: attributes is null");
  }
  if (flags != ACLSHMEMX_INIT_WITH_DEFAULT) {
    return fail(Errc::not_supported,
                "aclshmemx_init_attr: only ACLSHMEMX_INIT_WITH_DEFAULT is built, not {:#x}",
                static_cast<unsigned>(flags));
  }
  const uint64_t bytes = attributes->local_mem_size;
  if (bytes == 0 || bytes % kHeapUnit != 0 || bytes > kHeapMost) {
    return fail(Errc::out_of_range,
                "aclshmemx_init_attr: local_mem_size {} is not a multiple of 2 MiB between 2 MiB "
                "and 40 GiB",
                bytes);
  }
  return {};
}

Result<> init(aclshmemx_bootstrap_t flags, const aclshmemx_init_attr_t* attributes) {
  CANOPY_TRY(check(flags, attributes));
  if (initialised.exchange(true, std::memory_order_acq_rel)) {
    return fail(Errc::already_initialized, "aclshmemx_init_attr: initialised already");
  }
  auto world = session::enter();
  if (!world) {
    initialised.store(false, std::memory_order_release);
    return tl::unexpected(world.error());
  }
  Result<> made;
  if (attributes->my_pe != (*world)->my_pe() || attributes->n_pes != (*world)->n_pes()) {
    made = fail(Errc::invalid_argument,
                "aclshmemx_init_attr: my_pe {} of n_pes {} does not agree with the job, where this "
                "is PE {} of {}",
                attributes->my_pe, attributes->n_pes, (*world)->my_pe(), (*world)->n_pes());
    // Collective from here on: the others would wait for this PE's heap.
    (*world)->fail_job(kMisuseStatus, error_text::newest());
  }
  if (auto heap = (*world)->device_heap(attributes->local_mem_size); !heap) {
    made = tl::unexpected(heap.error());
    const std::string text = error_text::newest();
    (void)session::leave();  // every PE fails alike, so every PE leaves
    initialised.store(false, std::memory_order_release);
    return fail(made.error().code, "{}", text);
  }
  return made;
}

SymmetricHeap* heap(aclshmem_mem_type_t type, const char* routine) {
  World& world = world_for(routine);
  if (type == HOST_SIDE) {
    return &world.host_heap();
  }
  auto device = world.device_heap();
  if (!device) {
    report(error_text::newest());
    return nullptr;
  }
  return *device;
}

}  // namespace

extern "C" {

int aclshmemx_init_status(void) {
  return initialised.load(std::memory_order_acquire) ? ACLSHMEM_STATUS_IS_INITIALIZED
                                                     : ACLSHMEM_STATUS_NOT_INITIALIZED;
}

int aclshmemx_init_attr(aclshmemx_bootstrap_t bootstrap_flags, aclshmemx_init_attr_t* attributes) {
  return told(init(bootstrap_flags, attributes));
}

int aclshmem_finalize(void) {
  if (!initialised.exchange(false, std::memory_order_acq_rel)) {
    return told(fail(Errc::not_initialized, "aclshmem_finalize: not initialised"));
  }
  return told(session::leave());
}

int aclshmem_my_pe(void) { return current_hot().my_pe; }
int aclshmem_n_pes(void) { return static_cast<int>(current_hot().n_pes); }

void aclshmem_info_get_version(int* major, int* minor) {
  *major = ACLSHMEM_MAJOR_VERSION;
  *minor = ACLSHMEM_MINOR_VERSION;
}

void aclshmem_info_get_name(char* name) { shmem_info_get_name(name); }

void aclshmem_global_exit(int status) { world_for("aclshmem_global_exit").global_exit(status); }

void* aclshmemx_malloc(size_t size, aclshmem_mem_type_t mem_type) {
  SymmetricHeap* from = heap(mem_type, "aclshmem_malloc");
  return from == nullptr ? nullptr
                         : from->allocate(HeapRoutine::malloc, size, SymmetricHeap::kUnit);
}

void* aclshmemx_calloc(size_t count, size_t size, aclshmem_mem_type_t mem_type) {
  SymmetricHeap* from = heap(mem_type, "aclshmem_calloc");
  return from == nullptr ? nullptr : from->allocate_zeroed(count, size);
}

void* aclshmemx_align(size_t alignment, size_t size, aclshmem_mem_type_t mem_type) {
  SymmetricHeap* from = heap(mem_type, "aclshmem_align");
  if (from == nullptr || !std::has_single_bit(alignment)) {
    return nullptr;
  }
  return from->allocate(HeapRoutine::align, size, alignment);
}

void aclshmemx_free(void* ptr, aclshmem_mem_type_t mem_type) {
  if (SymmetricHeap* from = heap(mem_type, "aclshmem_free")) {
    from->release(ptr);
  }
}

void* aclshmem_malloc(size_t size) { return aclshmemx_malloc(size, DEVICE_SIDE); }
void* aclshmem_calloc(size_t nmemb, size_t size) {
  return aclshmemx_calloc(nmemb, size, DEVICE_SIDE);
}
void* aclshmem_align(size_t alignment, size_t size) {
  return aclshmemx_align(alignment, size, DEVICE_SIDE);
}
void aclshmem_free(void* ptr) { aclshmemx_free(ptr, DEVICE_SIDE); }

void* aclshmemx_get_heap_base(aclshmem_mem_type_t mem_type) {
  SymmetricHeap* from = heap(mem_type, "aclshmemx_get_heap_base");
  return from == nullptr ? nullptr : from->base();
}

void* aclshmem_ptr(void* ptr, int pe) {
  void* there = shmem_ptr(ptr, pe);
  if (there == nullptr) {
    log(LogLevel::error, "aclshmem_ptr: {} is not symmetric, or there is no PE {}", fmt::ptr(ptr),
        pe);
  }
  return there;
}

}  // extern "C"
