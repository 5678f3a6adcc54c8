// aclshmem.h: RMA and put-with-signal, for the host and for kernels.
#include "aclshmem.h"
#include "shmem/api/signal_change.h"
#include "shmem/rma/rma.h"

using namespace canopy::shmem;

static_assert(ACLSHMEM_SIGNAL_ADD == SHMEM_SIGNAL_ADD && ACLSHMEM_CMP_LE == SHMEM_CMP_LE &&
                  ACLSHMEM_CMP_GT == SHMEM_CMP_GT,
              "both APIs share change_of() and compare_of()");

extern "C" {

#define DEFINE(NAME, TYPE)                                                                       \
  void aclshmem_##NAME##_put(TYPE* dest, const TYPE* source, size_t nelems, int pe) {            \
    put<FromHere, sizeof(TYPE)>(dest, source, nelems, pe, "aclshmem_" #NAME "_put");             \
  }                                                                                              \
  void aclshmem_##NAME##_get(TYPE* dest, const TYPE* source, size_t nelems, int pe) {            \
    get<FromHere, sizeof(TYPE)>(dest, source, nelems, pe, "aclshmem_" #NAME "_get");             \
  }                                                                                              \
  void aclshmem_##NAME##_put_nbi(TYPE* dest, const TYPE* source, size_t nelems, int pe) {        \
    put<FromHere, sizeof(TYPE), Completion::nbi>(dest, source, nelems, pe,                       \
                                                 "aclshmem_" #NAME "_put_nbi");                  \
  }                                                                                              \
  void aclshmem_##NAME##_get_nbi(TYPE* dest, const TYPE* source, size_t nelems, int pe) {        \
    get<FromHere, sizeof(TYPE), Completion::nbi>(dest, source, nelems, pe,                       \
                                                 "aclshmem_" #NAME "_get_nbi");                  \
  }                                                                                              \
  void aclshmem_##NAME##_p(TYPE* dst, const TYPE value, int pe) {                                \
    p<FromHere>(dst, value, pe, "aclshmem_" #NAME "_p");                                         \
  }                                                                                              \
  TYPE aclshmem_##NAME##_g(const TYPE* src, int32_t pe) {                                        \
    return g<FromHere>(src, pe, "aclshmem_" #NAME "_g");                                         \
  }                                                                                              \
  void aclshmem_##NAME##_put_signal(TYPE* dst, const TYPE* src, size_t elem_size,                \
                                    int32_t* sig_addr, int32_t signal, int sig_op, int pe) {     \
    constexpr const char* kRoutine = "aclshmem_" #NAME "_put_signal";                            \
    put_signal<FromHere, sizeof(TYPE)>(dst, src, elem_size, sig_addr, signal,                    \
        change_of(sig_op, kRoutine), pe, kRoutine);                                              \
  }                                                                                              \
  void aclshmem_##NAME##_put_signal_nbi(TYPE* dst, const TYPE* src, size_t elem_size,            \
                                        int32_t* sig_addr, int32_t signal, int sig_op, int pe) { \
    constexpr const char* kRoutine = "aclshmem_" #NAME "_put_signal_nbi";                        \
    put_signal<FromHere, sizeof(TYPE), Completion::nbi>(dst, src, elem_size, sig_addr, signal,   \
        change_of(sig_op, kRoutine), pe, kRoutine);                                              \
  }
ACLSHMEMX_RMA_TYPES(DEFINE)
#undef DEFINE

#define DEFINE(NAME, BYTES)                                                                      \
  void aclshmem_put##NAME(void* dst, const void* src, size_t elem_size, int32_t pe) {            \
    put<FromHere, BYTES>(dst, src, elem_size, pe, "aclshmem_put" #NAME);                         \
  }                                                                                              \
  void aclshmem_get##NAME(void* dst, const void* src, size_t elem_size, int32_t pe) {            \
    get<FromHere, BYTES>(dst, src, elem_size, pe, "aclshmem_get" #NAME);                         \
  }                                                                                              \
  void aclshmem_put##NAME##_nbi(void* dst, const void* src, size_t elem_size, int32_t pe) {      \
    put<FromHere, BYTES, Completion::nbi>(dst, src, elem_size, pe, "aclshmem_put" #NAME "_nbi"); \
  }                                                                                              \
  void aclshmem_get##NAME##_nbi(void* dst, const void* src, size_t elem_size, int32_t pe) {      \
    get<FromHere, BYTES, Completion::nbi>(dst, src, elem_size, pe, "aclshmem_get" #NAME "_nbi"); \
  }                                                                                              \
  void aclshmem_put##NAME##_signal(void* dst, const void* src, size_t nelems, int32_t* sig_addr, \
                                   int32_t signal, int sig_op, int pe) {                         \
    constexpr const char* kRoutine = "aclshmem_put" #NAME "_signal";                             \
    put_signal<FromHere, BYTES>(dst, src, nelems, sig_addr, signal,                              \
        change_of(sig_op, kRoutine), pe, kRoutine);                                              \
  }                                                                                              \
  void aclshmem_put##NAME##_signal_nbi(void* dst, const void* src, size_t nelems,                \
                                       int32_t* sig_addr, int32_t signal, int sig_op, int pe) {  \
    constexpr const char* kRoutine = "aclshmem_put" #NAME "_signal_nbi";                         \
    put_signal<FromHere, BYTES, Completion::nbi>(dst, src, nelems, sig_addr, signal,             \
        change_of(sig_op, kRoutine), pe, kRoutine);                                              \
  }
ACLSHMEMX_SIZES(DEFINE)
DEFINE(mem, 1)
#undef DEFINE

void aclshmemx_putmem_signal(void* dst, const void* src, size_t elem_size, void* sig_addr,
                             int32_t signal, int sig_op, int pe) {
  aclshmem_putmem_signal(dst, src, elem_size, static_cast<int32_t*>(sig_addr), signal, sig_op, pe);
}

void aclshmemx_putmem_signal_nbi(void* dst, const void* src, size_t elem_size, void* sig_addr,
                                 int32_t signal, int sig_op, int pe) {
  aclshmem_putmem_signal_nbi(dst, src, elem_size, static_cast<int32_t*>(sig_addr), signal, sig_op,
                             pe);
}

}  // extern "C"
