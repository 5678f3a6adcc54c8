// shmem.h: signals, waits and tests, order, barriers.
#include "shmem.h"
#include "shmem/api/signal_change.h"
#include "shmem/sync/compare.h"
#include "shmem/world/world.h"

using namespace canopy::shmem;

extern "C" {

void shmem_signal_set(uint64_t* sig_addr, uint64_t signal, int pe) {
  signal_op<FromHost>(sig_addr, signal, SignalChange::set, pe, "shmem_signal_set");
}

void shmem_signal_add(uint64_t* sig_addr, uint64_t signal, int pe) {
  signal_op<FromHost>(sig_addr, signal, SignalChange::add, pe, "shmem_signal_add");
}

uint64_t shmem_signal_fetch(const uint64_t* sig_addr) {
  if (any_far()) [[unlikely]] {
    far_poll();
  }
  return canopy::transport::direct::load(sig_addr);
}

uint64_t shmem_signal_wait_until(uint64_t* sig_addr, int cmp, uint64_t cmp_value) {
  constexpr const char* kRoutine = "shmem_signal_wait_until";
  return wait_until<FromHost>(sig_addr, compare_of(cmp, kRoutine), cmp_value, kRoutine);
}

#define DEFINE(NAME, TYPE, ...)                                                 \
  void shmem_##NAME##_wait_until(TYPE* ivar, int cmp, TYPE cmp_value) {         \
    constexpr const char* kRoutine = "shmem_" #NAME "_wait_until";              \
    wait_until<FromHost>(ivar, compare_of(cmp, kRoutine), cmp_value, kRoutine); \
  }                                                                             \
  int shmem_##NAME##_test(TYPE* ivar, int cmp, TYPE cmp_value) {                \
    return test(ivar, compare_of(cmp, "shmem_" #NAME "_test"), cmp_value);      \
  }
SHMEMX_AMO_TYPES(DEFINE, )
SHMEMX_SHORT_TYPES(DEFINE, )
#undef DEFINE

void shmem_fence(void) { fence("shmem_fence"); }
void shmem_quiet(void) { quiet("shmem_quiet"); }

void shmem_barrier_all(void) {
  count_host(Op::barrier);
  world_for("shmem_barrier_all").barrier_all();
}

void shmem_sync_all(void) {
  count_host(Op::barrier);
  world_for("shmem_sync_all").sync();
}

}  // extern "C"
