// shmem.h: RMA, blocking and nonblocking, typed, sized and in bytes; put-with-signal.
#include "shmem/rma/rma.h"

#include "shmem.h"
#include "shmem/api/signal_change.h"

using namespace canopy::shmem;

extern "C" {

#define DEFINE(NAME, TYPE, ...)                                                                   \
  void shmem_##NAME##_put(TYPE* dest, const TYPE* source, size_t nelems, int pe) {                \
    put<FromHost, sizeof(TYPE)>(dest, source, nelems, pe, "shmem_" #NAME "_put");                 \
  }                                                                                               \
  void shmem_##NAME##_get(TYPE* dest, const TYPE* source, size_t nelems, int pe) {                \
    get<FromHost, sizeof(TYPE)>(dest, source, nelems, pe, "shmem_" #NAME "_get");                 \
  }                                                                                               \
  void shmem_##NAME##_put_nbi(TYPE* dest, const TYPE* source, size_t nelems, int pe) {            \
    put<FromHost, sizeof(TYPE), Completion::nbi>(dest, source, nelems, pe,                        \
                                                 "shmem_" #NAME "_put_nbi");                      \
  }                                                                                               \
  void shmem_##NAME##_get_nbi(TYPE* dest, const TYPE* source, size_t nelems, int pe) {            \
    get<FromHost, sizeof(TYPE), Completion::nbi>(dest, source, nelems, pe,                        \
                                                 "shmem_" #NAME "_get_nbi");                      \
  }                                                                                               \
  void shmem_##NAME##_p(TYPE* dest, TYPE value, int pe) {                                         \
    p<FromHost>(dest, value, pe, "shmem_" #NAME "_p");                                            \
  }                                                                                               \
  TYPE shmem_##NAME##_g(const TYPE* source, int pe) {                                             \
    return g<FromHost>(source, pe, "shmem_" #NAME "_g");                                          \
  }                                                                                               \
  void shmem_##NAME##_put_signal(TYPE* dest, const TYPE* source, size_t nelems,                   \
                                 uint64_t* sig_addr, uint64_t signal, int sig_op, int pe) {       \
    put_signal<FromHost, sizeof(TYPE)>(dest, source, nelems, sig_addr, signal, change_of(sig_op), \
                                       pe, "shmem_" #NAME "_put_signal");                         \
  }                                                                                               \
  void shmem_##NAME##_put_signal_nbi(TYPE* dest, const TYPE* source, size_t nelems,               \
                                     uint64_t* sig_addr, uint64_t signal, int sig_op, int pe) {   \
    put_signal<FromHost, sizeof(TYPE), Completion::nbi>(dest, source, nelems, sig_addr, signal,   \
                                                        change_of(sig_op), pe,                    \
                                                        "shmem_" #NAME "_put_signal_nbi");        \
  }
SHMEMX_RMA_TYPES(DEFINE, )
#undef DEFINE

#define DEFINE(NAME, BYTES, ...)                                                                   \
  void shmem_put##NAME(void* dest, const void* source, size_t nelems, int pe) {                    \
    put<FromHost, BYTES>(dest, source, nelems, pe, "shmem_put" #NAME);                             \
  }                                                                                                \
  void shmem_get##NAME(void* dest, const void* source, size_t nelems, int pe) {                    \
    get<FromHost, BYTES>(dest, source, nelems, pe, "shmem_get" #NAME);                             \
  }                                                                                                \
  void shmem_put##NAME##_nbi(void* dest, const void* source, size_t nelems, int pe) {              \
    put<FromHost, BYTES, Completion::nbi>(dest, source, nelems, pe, "shmem_put" #NAME "_nbi");     \
  }                                                                                                \
  void shmem_get##NAME##_nbi(void* dest, const void* source, size_t nelems, int pe) {              \
    get<FromHost, BYTES, Completion::nbi>(dest, source, nelems, pe, "shmem_get" #NAME "_nbi");     \
  }                                                                                                \
  void shmem_put##NAME##_signal(void* dest, const void* source, size_t nelems, uint64_t* sig_addr, \
                                uint64_t signal, int sig_op, int pe) {                             \
    put_signal<FromHost, BYTES>(dest, source, nelems, sig_addr, signal, change_of(sig_op), pe,     \
                                "shmem_put" #NAME "_signal");                                      \
  }                                                                                                \
  void shmem_put##NAME##_signal_nbi(void* dest, const void* source, size_t nelems,                 \
                                    uint64_t* sig_addr, uint64_t signal, int sig_op, int pe) {     \
    put_signal<FromHost, BYTES, Completion::nbi>(dest, source, nelems, sig_addr, signal,           \
                                                 change_of(sig_op), pe,                            \
                                                 "shmem_put" #NAME "_signal_nbi");                 \
  }
SHMEMX_SIZES(DEFINE, )
// One element is one byte.
DEFINE(mem, 1, )
#undef DEFINE

}  // extern "C"
