// shmem.h: strided and block-strided RMA, typed and sized.
#include "shmem/rma/strided.h"

#include "shmem/api/define.h"

using namespace canopy::shmem;

namespace calls {
namespace {

// An element is a type, or a number of bytes.
#define BOTH(OPERATION, DIRECTION)                                                                 \
  template <size_t kBytes>                                                                         \
  inline void i##OPERATION(const Hot& hot, void* dest, const void* source, ptrdiff_t dst,          \
                           ptrdiff_t sst, size_t nelems, int pe, const char* routine) {            \
    strided<FromHost, kBytes, DIRECTION>(hot, dest, source, {dst, sst, 1, nelems}, pe, routine);   \
  }                                                                                                \
  template <class T>                                                                               \
  inline void i##OPERATION(const Hot& hot, T* dest, const T* source, ptrdiff_t dst, ptrdiff_t sst, \
                           size_t nelems, int pe, const char* routine) {                           \
    i##OPERATION<sizeof(T)>(hot, static_cast<void*>(dest), source, dst, sst, nelems, pe, routine); \
  }                                                                                                \
  template <size_t kBytes>                                                                         \
  inline void ib##OPERATION(const Hot& hot, void* dest, const void* source, ptrdiff_t dst,         \
                            ptrdiff_t sst, size_t bsize, size_t nblocks, int pe,                   \
                            const char* routine) {                                                 \
    strided<FromHost, kBytes, DIRECTION>(hot, dest, source, {dst, sst, bsize, nblocks}, pe,        \
                                         routine);                                                 \
  }                                                                                                \
  template <class T>                                                                               \
  inline void ib##OPERATION(const Hot& hot, T* dest, const T* source, ptrdiff_t dst,               \
                            ptrdiff_t sst, size_t bsize, size_t nblocks, int pe,                   \
                            const char* routine) {                                                 \
    ib##OPERATION<sizeof(T)>(hot, static_cast<void*>(dest), source, dst, sst, bsize, nblocks, pe,  \
                             routine);                                                             \
  }
BOTH(put, Direction::put)
BOTH(get, Direction::get)
#undef BOTH

}  // namespace
}  // namespace calls

extern "C" {
SHMEMX_STRIDED_ROUTINES(CANOPY_DEFINE_CTX)
}  // extern "C"
