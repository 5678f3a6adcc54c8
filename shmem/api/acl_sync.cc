// aclshmem.h: signals, waits, atomics, order and barriers, for the host and for kernels.
#include "aclshmem.h"
#include "shmem/amo/amo.h"
#include "shmem/api/announced.h"
#include "shmem/api/signal_change.h"
#include "shmem/sync/compare.h"
#include "shmem/world/world.h"

using namespace canopy::shmem;

extern "C" {

void aclshmemx_signal_op(int32_t* sig_addr, int32_t signal, int sig_op, int pe) {
  constexpr const char* kRoutine = "aclshmemx_signal_op";
  signal_op<FromHere>(sig_addr, signal, change_of(sig_op, kRoutine), pe, kRoutine);
}

int32_t aclshmem_signal_wait_until(int32_t* sig_addr, int cmp, int32_t cmp_val) {
  constexpr const char* kRoutine = "aclshmem_signal_wait_until";
  return wait_until<FromHere>(sig_addr, compare_of(cmp, kRoutine), cmp_val, kRoutine);
}

#define DEFINE(NAME, TYPE)                                                         \
  void aclshmem_##NAME##_wait_until(TYPE* ivar, int cmp, TYPE cmp_value) {         \
    constexpr const char* kRoutine = "aclshmem_" #NAME "_wait_until";              \
    wait_until<FromHere>(ivar, compare_of(cmp, kRoutine), cmp_value, kRoutine);    \
  }                                                                                \
  void aclshmem_##NAME##_wait(TYPE* ivar, TYPE cmp_value) {                        \
    wait_until<FromHere>(ivar, Compare::ne, cmp_value, "aclshmem_" #NAME "_wait"); \
  }                                                                                \
  int aclshmem_##NAME##_test(TYPE* ivars, int cmp, TYPE cmp_value) {               \
    return test(ivars, compare_of(cmp, "aclshmem_" #NAME "_test"), cmp_value);     \
  }
ACLSHMEMX_WAIT_TYPES(DEFINE)
#undef DEFINE

#define DEFINE(NAME, TYPE)                                                    \
  void aclshmem_##NAME##_atomic_add(TYPE* dst, TYPE value, int32_t pe) {      \
    amo_fetch_add<FromHere>(dst, value, pe, "aclshmem_" #NAME "_atomic_add"); \
  }
ACLSHMEMX_ADD_TYPES(DEFINE)
#undef DEFINE

#define DEFINE(NAME, TYPE)                                                        \
  void aclshmem_##NAME##_atomic_set(TYPE* dest, TYPE value, int32_t pe) {         \
    amo_set<FromHere>(dest, value, pe, "aclshmem_" #NAME "_atomic_set");          \
  }                                                                               \
  TYPE aclshmem_##NAME##_atomic_swap(TYPE* dest, TYPE value, int32_t pe) {        \
    return amo_swap<FromHere>(dest, value, pe, "aclshmem_" #NAME "_atomic_swap"); \
  }
ACLSHMEMX_SWAP_TYPES(DEFINE)
#undef DEFINE

#define DEFINE_BIT(NAME, TYPE, OP)                                                            \
  TYPE aclshmem_##NAME##_atomic_fetch_##OP(TYPE* dest, TYPE value, int32_t pe) {              \
    return amo_fetch_##OP<FromHere>(dest, value, pe, "aclshmem_" #NAME "_atomic_fetch_" #OP); \
  }                                                                                           \
  void aclshmem_##NAME##_atomic_##OP(TYPE* dest, TYPE value, int32_t pe) {                    \
    amo_fetch_##OP<FromHere>(dest, value, pe, "aclshmem_" #NAME "_atomic_" #OP);              \
  }
#define DEFINE(NAME, TYPE)                                                                    \
  TYPE aclshmem_##NAME##_atomic_fetch(const TYPE* source, int32_t pe) {                       \
    return amo_fetch<FromHere>(source, pe, "aclshmem_" #NAME "_atomic_fetch");                \
  }                                                                                           \
  TYPE aclshmem_##NAME##_atomic_fetch_add(TYPE* dest, TYPE value, int32_t pe) {               \
    return amo_fetch_add<FromHere>(dest, value, pe, "aclshmem_" #NAME "_atomic_fetch_add");   \
  }                                                                                           \
  void aclshmem_##NAME##_atomic_inc(TYPE* dst, int32_t pe) {                                  \
    amo_fetch_add<FromHere>(dst, static_cast<TYPE>(1), pe, "aclshmem_" #NAME "_atomic_inc");  \
  }                                                                                           \
  TYPE aclshmem_##NAME##_atomic_fetch_inc(TYPE* dest, int32_t pe) {                           \
    return amo_fetch_add<FromHere>(dest, static_cast<TYPE>(1), pe,                            \
                                   "aclshmem_" #NAME "_atomic_fetch_inc");                    \
  }                                                                                           \
  TYPE aclshmem_##NAME##_atomic_compare_swap(TYPE* dest, TYPE cond, TYPE value, int32_t pe) { \
    return amo_compare_swap<FromHere>(dest, cond, value, pe,                                  \
                                      "aclshmem_" #NAME "_atomic_compare_swap");              \
  }                                                                                           \
  DEFINE_BIT(NAME, TYPE, and)                                                                 \
  DEFINE_BIT(NAME, TYPE, or)                                                                  \
  DEFINE_BIT(NAME, TYPE, xor)
ACLSHMEMX_WORD_TYPES(DEFINE)
#undef DEFINE

void aclshmem_quiet(void) { quiet("aclshmem_quiet"); }
void aclshmem_fence(void) { fence("aclshmem_fence"); }

void aclshmem_barrier_all(void) {
  count_here(Op::barrier);
  // One barrier with shmem's, so by one name.
  announced(world_for("aclshmem_barrier_all"), "shmem_barrier_all").barrier_all();
}

void aclshmemx_barrier_all_vec(void) { aclshmem_barrier_all(); }

void aclshmem_sync_all(void) {
  count_here(Op::barrier);
  announced(world_for("aclshmem_sync_all"), "shmem_sync_all").sync();
}

}  // extern "C"
