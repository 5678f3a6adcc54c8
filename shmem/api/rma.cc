// shmem.h: RMA, blocking and nonblocking, typed, sized and in bytes; single elements.
#include "shmem/rma/rma.h"

#include "shmem/api/define.h"

using namespace canopy::shmem;

namespace calls {
namespace {

// An element is a type, or a number of bytes.
#define BOTH(OPERATION, CODE, ...)                                                             \
  template <size_t kBytes>                                                                     \
  inline void OPERATION(const Hot& hot, void* dest, const void* source, size_t nelems, int pe, \
                        const char* routine) {                                                 \
    CODE<FromHost, kBytes __VA_ARGS__>(hot, dest, source, nelems, pe, routine);                \
  }                                                                                            \
  template <class T>                                                                           \
  inline void OPERATION(const Hot& hot, T* dest, const T* source, size_t nelems, int pe,       \
                        const char* routine) {                                                 \
    CODE<FromHost, sizeof(T) __VA_ARGS__>(hot, dest, source, nelems, pe, routine);             \
  }
BOTH(put, canopy::shmem::put)
BOTH(get, canopy::shmem::get)
BOTH(put_nbi, canopy::shmem::put, , Completion::nbi)
BOTH(get_nbi, canopy::shmem::get, , Completion::nbi)
#undef BOTH

template <class T>
inline void p(const Hot& hot, T* dest, T value, int pe, const char* routine) {
  canopy::shmem::p<FromHost>(hot, dest, value, pe, routine);
}

template <class T>
inline T g(const Hot& hot, const T* source, int pe, const char* routine) {
  return canopy::shmem::g<FromHost>(hot, source, pe, routine);
}

}  // namespace
}  // namespace calls

extern "C" {
SHMEMX_PUT_GET_ROUTINES(CANOPY_DEFINE_CTX)
SHMEMX_SCALAR_ROUTINES(CANOPY_DEFINE_CTX)
}  // extern "C"
