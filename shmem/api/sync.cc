// shmem.h: order, meetings and locks.
#include "shmem/api/announced.h"
#include "shmem/api/define.h"
#include "shmem/rma/rma.h"
#include "shmem/sync/compare.h"
#include "shmem/sync/lock.h"
#include "shmem/world/world.h"

#include <span>

using namespace canopy::shmem;

namespace {

// The Hot of a context to be ordered; null where there is nothing to order: on SHMEM_CTX_INVALID.
const Hot* ordered(shmem_ctx_t ctx, const char* routine) {
  if (ctx == SHMEM_CTX_INVALID) {
    return nullptr;
  }
  const Hot& hot = hot_of(ctx);
  if (hot.world == nullptr) [[unlikely]] {
    bad_target(hot, nullptr, 0, 1, 0, routine);
  }
  return &hot;
}

void quiet_pes(const Hot& hot, const int* target_pes, size_t npes, const char* routine) {
  const std::span<const int> pes(target_pes, npes);
  for (const int pe : pes) {
    if (static_cast<uint32_t>(pe) >= hot.n_pes) {
      bad_target(hot, nullptr, 0, 1, pe, routine);
    }
  }
  if (hot.far != nullptr) [[unlikely]] {
    far_quiet_pes(hot, pes, routine);
  }
  canopy::transport::direct::quiet();
}

}  // namespace

extern "C" {

void pshmem_fence(void) { fence("shmem_fence"); }
void pshmem_quiet(void) { quiet("shmem_quiet"); }

void pshmem_ctx_fence(shmem_ctx_t ctx) {
  if (const Hot* hot = ordered(ctx, "shmem_ctx_fence")) {
    fence(*hot, "shmem_ctx_fence");
  }
}

void pshmem_ctx_quiet(shmem_ctx_t ctx) {
  if (const Hot* hot = ordered(ctx, "shmem_ctx_quiet")) {
    quiet(*hot, "shmem_ctx_quiet");
  }
}

void pshmem_pe_quiet(const int* target_pes, size_t npes) {
  if (npes != 0) {  // the pointer means nothing without
    quiet_pes(current_hot(), target_pes, npes, "shmem_pe_quiet");
  }
}

void pshmem_ctx_pe_quiet(shmem_ctx_t ctx, const int* target_pes, size_t npes) {
  const Hot* hot = ordered(ctx, "shmem_ctx_pe_quiet");
  if (hot != nullptr && npes != 0) {
    quiet_pes(*hot, target_pes, npes, "shmem_ctx_pe_quiet");
  }
}

void pshmem_barrier_all(void) {
  count_host(Op::barrier);
  announced(world_for("shmem_barrier_all"), "shmem_barrier_all").barrier_all();
}

void pshmem_sync_all(void) {
  count_host(Op::barrier);
  announced(world_for("shmem_sync_all"), "shmem_sync_all").sync();
}

void pshmem_set_lock(long* lock) { set_lock(lock, "shmem_set_lock"); }
void pshmem_clear_lock(long* lock) { clear_lock(lock, "shmem_clear_lock"); }
int pshmem_test_lock(long* lock) { return test_lock(lock, "shmem_test_lock") ? 0 : 1; }

}  // extern "C"

SHMEMX_ORDER_ROUTINES(CANOPY_ALIAS)
SHMEMX_MEETING_ROUTINES(CANOPY_ALIAS)
SHMEMX_LOCK_ROUTINES(CANOPY_ALIAS)
