// shmem.h: put-with-signal, typed, sized and in bytes; signals alone.
#include "shmem/api/define.h"
#include "shmem/api/signal_change.h"
#include "shmem/rma/rma.h"
#include "shmem/sync/compare.h"

using namespace canopy::shmem;

namespace calls {
namespace {

// An element is a type, or a number of bytes.
#define BOTH(OPERATION, COMPLETION)                                                               \
  template <size_t kBytes>                                                                        \
  inline void OPERATION(const Hot& hot, void* dest, const void* source, size_t nelems,            \
                        uint64_t* sig_addr, uint64_t signal, int sig_op, int pe,                  \
                        const char* routine) {                                                    \
    canopy::shmem::put_signal<FromHost, kBytes, COMPLETION>(                                      \
        hot, dest, source, nelems, sig_addr, signal, change_of(sig_op, routine), pe, routine);    \
  }                                                                                               \
  template <class T>                                                                              \
  inline void OPERATION(const Hot& hot, T* dest, const T* source, size_t nelems,                  \
                        uint64_t* sig_addr, uint64_t signal, int sig_op, int pe,                  \
                        const char* routine) {                                                    \
    OPERATION<sizeof(T)>(hot, static_cast<void*>(dest), source, nelems, sig_addr, signal, sig_op, \
                         pe, routine);                                                            \
  }
BOTH(put_signal, Completion::blocking)
BOTH(put_signal_nbi, Completion::nbi)
#undef BOTH

template <class T>
inline void signal_set(const Hot& hot, T* sig_addr, T signal, int pe, const char* routine) {
  signal_op<FromHost>(hot, sig_addr, signal, SignalChange::set, pe, routine);
}
template <class T>
inline void signal_add(const Hot& hot, T* sig_addr, T signal, int pe, const char* routine) {
  signal_op<FromHost>(hot, sig_addr, signal, SignalChange::add, pe, routine);
}

template <class T>
inline T signal_fetch(const T* sig_addr, const char*) {
  if (any_far()) [[unlikely]] {
    far_poll();
  }
  return canopy::transport::direct::load(sig_addr);
}
template <class T>
inline T signal_wait_until(T* sig_addr, int cmp, T cmp_value, const char* routine) {
  return wait_until<FromHost>(sig_addr, compare_of(cmp, routine), cmp_value, routine);
}

}  // namespace
}  // namespace calls

extern "C" {
SHMEMX_PUT_SIGNAL_ROUTINES(CANOPY_DEFINE_CTX)
SHMEMX_SIGNAL_ROUTINES(CANOPY_DEFINE_CTX)
SHMEMX_SIGNAL_WAIT_ROUTINES(CANOPY_DEFINE)
}  // extern "C"
