// shmem.h: atomic memory operations.
#include "shmem/amo/amo.h"

#include "shmem.h"

using namespace canopy::shmem;

extern "C" {

#define DEFINE(NAME, TYPE, ...)                                                \
  TYPE shmem_##NAME##_atomic_fetch(const TYPE* source, int pe) {               \
    return amo_fetch<FromHost>(source, pe, "shmem_" #NAME "_atomic_fetch");    \
  }                                                                            \
  void shmem_##NAME##_atomic_set(TYPE* dest, TYPE value, int pe) {             \
    amo_set<FromHost>(dest, value, pe, "shmem_" #NAME "_atomic_set");          \
  }                                                                            \
  TYPE shmem_##NAME##_atomic_swap(TYPE* dest, TYPE value, int pe) {            \
    return amo_swap<FromHost>(dest, value, pe, "shmem_" #NAME "_atomic_swap"); \
  }
SHMEMX_AMO_TYPES(DEFINE, )
SHMEMX_AMO_FLOAT_TYPES(DEFINE, )
#undef DEFINE

#define DEFINE(NAME, TYPE, ...)                                                            \
  TYPE shmem_##NAME##_atomic_compare_swap(TYPE* dest, TYPE cond, TYPE value, int pe) {     \
    return amo_compare_swap<FromHost>(dest, cond, value, pe,                               \
                                      "shmem_" #NAME "_atomic_compare_swap");              \
  }                                                                                        \
  TYPE shmem_##NAME##_atomic_fetch_inc(TYPE* dest, int pe) {                               \
    return amo_fetch_add<FromHost>(dest, static_cast<TYPE>(1), pe,                         \
                                   "shmem_" #NAME "_atomic_fetch_inc");                    \
  }                                                                                        \
  void shmem_##NAME##_atomic_inc(TYPE* dest, int pe) {                                     \
    amo_fetch_add<FromHost>(dest, static_cast<TYPE>(1), pe, "shmem_" #NAME "_atomic_inc"); \
  }                                                                                        \
  TYPE shmem_##NAME##_atomic_fetch_add(TYPE* dest, TYPE value, int pe) {                   \
    return amo_fetch_add<FromHost>(dest, value, pe, "shmem_" #NAME "_atomic_fetch_add");   \
  }                                                                                        \
  void shmem_##NAME##_atomic_add(TYPE* dest, TYPE value, int pe) {                         \
    amo_fetch_add<FromHost>(dest, value, pe, "shmem_" #NAME "_atomic_add");                \
  }
SHMEMX_AMO_TYPES(DEFINE, )
#undef DEFINE

#define DEFINE_BIT(NAME, TYPE, OP)                                                         \
  TYPE shmem_##NAME##_atomic_fetch_##OP(TYPE* dest, TYPE value, int pe) {                  \
    return amo_fetch_##OP<FromHost>(dest, value, pe, "shmem_" #NAME "_atomic_fetch_" #OP); \
  }                                                                                        \
  void shmem_##NAME##_atomic_##OP(TYPE* dest, TYPE value, int pe) {                        \
    amo_fetch_##OP<FromHost>(dest, value, pe, "shmem_" #NAME "_atomic_" #OP);              \
  }
// `and`, `or` and `xor` are operators in C++: each stands alone here, where it is only pasted.
#define DEFINE_AND(NAME, TYPE, ...) DEFINE_BIT(NAME, TYPE, and)
#define DEFINE_OR(NAME, TYPE, ...) DEFINE_BIT(NAME, TYPE, or)
#define DEFINE_XOR(NAME, TYPE, ...) DEFINE_BIT(NAME, TYPE, xor)
SHMEMX_BIT_TYPES(DEFINE_AND, )
SHMEMX_BIT_TYPES(DEFINE_OR, )
SHMEMX_BIT_TYPES(DEFINE_XOR, )

}  // extern "C"
