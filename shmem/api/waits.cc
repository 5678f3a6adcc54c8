// shmem.h: point-to-point synchronisation - waits and tests on one word and on arrays of them.
#include "shmem/api/define.h"
#include "shmem/api/signal_change.h"
#include "shmem/sync/wait_sets.h"

using namespace canopy::shmem;

namespace calls {
namespace {

template <class T>
inline void wait_until(T* ivar, int cmp, T cmp_value, const char* routine) {
  canopy::shmem::wait_until<FromHost>(ivar, compare_of(cmp, routine), cmp_value, routine);
}
template <class T>
inline void wait(T* ivar, T cmp_value, const char* routine) {
  canopy::shmem::wait_until<FromHost>(ivar, Compare::ne, cmp_value, routine);
}
template <class T>
inline int test(T* ivar, int cmp, T cmp_value, const char* routine) {
  return canopy::shmem::test(ivar, compare_of(cmp, routine), cmp_value);
}

// VALUES is the parameter, WORDS how it becomes the last two members of Words.
#define ARRAY(SUFFIX, VALUES, ...)                                                                 \
  template <class T>                                                                               \
  inline void wait_until_all##SUFFIX(T* ivars, size_t nelems, const int* status, int cmp, VALUES,  \
                                     const char* routine) {                                        \
    FromHost::count(Op::wait);                                                                     \
    wait_all_of<T>({ivars, nelems, status, compare_of(cmp, routine), __VA_ARGS__}, routine);       \
  }                                                                                                \
  template <class T>                                                                               \
  inline size_t wait_until_any##SUFFIX(T* ivars, size_t nelems, const int* status, int cmp,        \
                                       VALUES, const char* routine) {                              \
    FromHost::count(Op::wait);                                                                     \
    return wait_any_of<T>({ivars, nelems, status, compare_of(cmp, routine), __VA_ARGS__},          \
                          routine);                                                                \
  }                                                                                                \
  template <class T>                                                                               \
  inline size_t wait_until_some##SUFFIX(T* ivars, size_t nelems, size_t* indices,                  \
                                        const int* status, int cmp, VALUES, const char* routine) { \
    FromHost::count(Op::wait);                                                                     \
    return wait_some_of<T>({ivars, nelems, status, compare_of(cmp, routine), __VA_ARGS__},         \
                           indices, routine);                                                      \
  }                                                                                                \
  template <class T>                                                                               \
  inline int test_all##SUFFIX(T* ivars, size_t nelems, const int* status, int cmp, VALUES,         \
                              const char* routine) {                                               \
    return test_all_of<T>({ivars, nelems, status, compare_of(cmp, routine), __VA_ARGS__});         \
  }                                                                                                \
  template <class T>                                                                               \
  inline size_t test_any##SUFFIX(T* ivars, size_t nelems, const int* status, int cmp, VALUES,      \
                                 const char* routine) {                                            \
    return test_any_of<T>({ivars, nelems, status, compare_of(cmp, routine), __VA_ARGS__});         \
  }                                                                                                \
  template <class T>                                                                               \
  inline size_t test_some##SUFFIX(T* ivars, size_t nelems, size_t* indices, const int* status,     \
                                  int cmp, VALUES, const char* routine) {                          \
    return test_some_of<T>({ivars, nelems, status, compare_of(cmp, routine), __VA_ARGS__},         \
                           indices);                                                               \
  }
ARRAY(, T cmp_value, &cmp_value, true)
ARRAY(_vector, const T* cmp_values, cmp_values, false)
#undef ARRAY

}  // namespace
}  // namespace calls

extern "C" {
SHMEMX_WAIT_ROUTINES(CANOPY_DEFINE)
}  // extern "C"
