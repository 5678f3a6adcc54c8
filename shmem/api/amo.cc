// shmem.h: atomic memory operations, and the same under their names before 1.4.
#include "shmem/amo/amo.h"

#include "shmem/api/define.h"

using namespace canopy::shmem;

namespace calls {
namespace {

template <class T>
inline T atomic_fetch(const Hot& hot, const T* source, int pe, const char* routine) {
  return amo<FromHost, AmoOp::fetch>(hot, const_cast<T*>(source), T{}, T{}, pe, routine);
}
template <class T>
inline void atomic_set(const Hot& hot, T* dest, T value, int pe, const char* routine) {
  amo<FromHost, AmoOp::set>(hot, dest, value, T{}, pe, routine);
}
template <class T>
inline T atomic_swap(const Hot& hot, T* dest, T value, int pe, const char* routine) {
  return amo<FromHost, AmoOp::swap>(hot, dest, value, T{}, pe, routine);
}
template <class T>
inline T atomic_compare_swap(const Hot& hot, T* dest, T cond, T value, int pe,
                             const char* routine) {
  return amo<FromHost, AmoOp::compare_swap>(hot, dest, value, cond, pe, routine);
}
template <class T>
inline T atomic_fetch_inc(const Hot& hot, T* dest, int pe, const char* routine) {
  return amo<FromHost, AmoOp::add>(hot, dest, static_cast<T>(1), T{}, pe, routine);
}
template <class T>
inline void atomic_inc(const Hot& hot, T* dest, int pe, const char* routine) {
  atomic_fetch_inc(hot, dest, pe, routine);
}

// A fetching operation and the same without the old value.
#define PAIR(OPERATION, OP)                                                                       \
  template <class T>                                                                              \
  inline T atomic_fetch_##OPERATION(const Hot& hot, T* dest, T value, int pe,                     \
                                    const char* routine) {                                        \
    return amo<FromHost, AmoOp::OP>(hot, dest, value, T{}, pe, routine);                          \
  }                                                                                               \
  template <class T>                                                                              \
  inline void atomic_##OPERATION(const Hot& hot, T* dest, T value, int pe, const char* routine) { \
    amo_unfetched<FromHost, AmoOp::OP>(hot, dest, value, pe, routine);                            \
  }
PAIR(add, add)
PAIR(and, bit_and)
PAIR(or, bit_or)
PAIR(xor, bit_xor)
#undef PAIR

// Their names before 1.4.
template <class T>
inline T fetch(const T* source, int pe, const char* routine) {
  return atomic_fetch(current_hot(), source, pe, routine);
}
template <class T>
inline void set(T* dest, T value, int pe, const char* routine) {
  atomic_set(current_hot(), dest, value, pe, routine);
}
template <class T>
inline T swap(T* dest, T value, int pe, const char* routine) {
  return atomic_swap(current_hot(), dest, value, pe, routine);
}
template <class T>
inline T cswap(T* dest, T cond, T value, int pe, const char* routine) {
  return atomic_compare_swap(current_hot(), dest, cond, value, pe, routine);
}
template <class T>
inline T finc(T* dest, int pe, const char* routine) {
  return atomic_fetch_inc(current_hot(), dest, pe, routine);
}
template <class T>
inline void inc(T* dest, int pe, const char* routine) {
  atomic_inc(current_hot(), dest, pe, routine);
}
template <class T>
inline T fadd(T* dest, T value, int pe, const char* routine) {
  return atomic_fetch_add(current_hot(), dest, value, pe, routine);
}
template <class T>
inline void add(T* dest, T value, int pe, const char* routine) {
  atomic_add(current_hot(), dest, value, pe, routine);
}

}  // namespace
}  // namespace calls

extern "C" {
SHMEMX_AMO_ROUTINES(CANOPY_DEFINE_CTX)
SHMEMX_OLD_AMO_ROUTINES(CANOPY_DEFINE)
}  // extern "C"
