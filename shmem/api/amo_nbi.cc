// shmem.h: nonblocking fetching atomics.
#include "shmem/amo/amo.h"
#include "shmem/api/define.h"

using namespace canopy::shmem;

namespace calls {
namespace {

template <class T>
inline void atomic_fetch_nbi(const Hot& hot, T* fetch, const T* source, int pe,
                             const char* routine) {
  amo_nbi<FromHost, AmoOp::fetch>(hot, fetch, const_cast<T*>(source), T{}, T{}, pe, routine);
}
template <class T>
inline void atomic_compare_swap_nbi(const Hot& hot, T* fetch, T* dest, T cond, T value, int pe,
                                    const char* routine) {
  amo_nbi<FromHost, AmoOp::compare_swap>(hot, fetch, dest, value, cond, pe, routine);
}
template <class T>
inline void atomic_fetch_inc_nbi(const Hot& hot, T* fetch, T* dest, int pe, const char* routine) {
  amo_nbi<FromHost, AmoOp::add>(hot, fetch, dest, static_cast<T>(1), T{}, pe, routine);
}

#define WITH_VALUE(OPERATION, OP)                                                          \
  template <class T>                                                                       \
  inline void atomic_##OPERATION##_nbi(const Hot& hot, T* fetch, T* dest, T value, int pe, \
                                       const char* routine) {                              \
    amo_nbi<FromHost, AmoOp::OP>(hot, fetch, dest, value, T{}, pe, routine);               \
  }
WITH_VALUE(swap, swap)
WITH_VALUE(fetch_add, add)
WITH_VALUE(fetch_and, bit_and)
WITH_VALUE(fetch_or, bit_or)
WITH_VALUE(fetch_xor, bit_xor)
#undef WITH_VALUE

}  // namespace
}  // namespace calls

extern "C" {
SHMEMX_AMO_NBI_ROUTINES(CANOPY_DEFINE_CTX)
}  // extern "C"
