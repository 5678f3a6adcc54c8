/* aclshmem: SHMEM for NPUs, on the host and in kernels. C++ only, as its overloads are.
 *
 * The same functions serve both sides: a call finds out whether it is made by a block of a kernel.
 * Differences from the vendor's library that programs may notice:
 *
 * - put and get take const sources; nbi forms complete early; fence and quiet are different things.
 * - The launcher (mpirun) introduces the PEs: ip_port is not used, my_pe and n_pes are checked.
 * - Waits in kernels give the core away; the host's wait_until may be woken by plain stores too.
 * - In kernels, exactly one block per PE may call barrier_all and sync_all.
 *
 * Not here yet, and not declared: teams, on-stream forms, strided and engine (mte, roce) forms,
 * tensors, half and bfloat16, array waits, several instances, unique-id and MPI init. */
#ifndef ACLSHMEM_H
#define ACLSHMEM_H

#ifndef __cplusplus
#error "aclshmem.h is C++; C programs use shmem.h"
#endif

#include <climits>
#include <cstddef>
#include <cstdint>

#define ACLSHMEM_MAJOR_VERSION 1
#define ACLSHMEM_MINOR_VERSION 1
#define ACLSHMEM_MAX_NAME_LEN 256
#define ACLSHMEM_MAX_IP_PORT_LEN 64

enum aclshmem_error_code_t : int {
  ACLSHMEM_SUCCESS = 0,
  ACLSHMEM_INVALID_PARAM = -1,
  ACLSHMEM_INVALID_VALUE = -2,
  ACLSHMEM_SMEM_ERROR = -3,
  ACLSHMEM_INNER_ERROR = -4,
  ACLSHMEM_NOT_INITED = -5,
  ACLSHMEM_BOOTSTRAP_ERROR = -6,
  ACLSHMEM_TIMEOUT_ERROR = -7,
  ACLSHMEM_MALLOC_FAILED = -8,
  ACLSHMEM_DL_FUNC_FAILED = -9,
  ACLSHMEM_INNER_TIMEOUT = -10,
  ACLSHMEM_UNDER_API_UNLOAD = -11,
  ACLSHMEM_NOT_SUPPORTED = -100
};

enum aclshmemx_bootstrap_t : unsigned int {
  ACLSHMEMX_INIT_WITH_DEFAULT = 1u << 0,
  ACLSHMEMX_INIT_WITH_MPI = 1u << 1,
  ACLSHMEMX_INIT_WITH_UNIQUEID = 1u << 3,
  ACLSHMEMX_INIT_MAX = 1u << 31
};

enum aclshmemx_init_status_t {
  ACLSHMEM_STATUS_NOT_INITIALIZED = 0,
  ACLSHMEM_STATUS_SHM_CREATED = 1,
  ACLSHMEM_STATUS_IS_INITIALIZED = 2,
  ACLSHMEM_STATUS_INVALID = INT_MAX
};

enum data_op_engine_type_t {
  ACLSHMEM_DATA_OP_MTE = 0x01,
  ACLSHMEM_DATA_OP_SDMA = 0x02,
  ACLSHMEM_DATA_OP_ROCE = 0x04,
  ACLSHMEM_DATA_OP_UDMA = 0x08,
  ACLSHMEM_DATA_OP_MAX = 0x08
};

enum aclshmem_mem_type_t { HOST_SIDE = 0, DEVICE_SIDE = 1 };
enum aclshmem_signal_op_type_t { ACLSHMEM_SIGNAL_SET = 0, ACLSHMEM_SIGNAL_ADD = 1 };
enum aclshmem_cmp_op_type_t {
  ACLSHMEM_CMP_EQ = 0,
  ACLSHMEM_CMP_NE = 1,
  ACLSHMEM_CMP_GT = 2,
  ACLSHMEM_CMP_GE = 3,
  ACLSHMEM_CMP_LT = 4,
  ACLSHMEM_CMP_LE = 5
};

struct aclshmem_init_optional_attr_t {
  int version;
  data_op_engine_type_t data_op_engine_type;
  uint32_t shm_init_timeout;
  uint32_t shm_create_timeout;
  uint32_t control_operation_timeout;
  int32_t sockFd;
};

struct aclshmemx_init_attr_t {
  int my_pe;
  int n_pes;
  char ip_port[ACLSHMEM_MAX_IP_PORT_LEN] = {};
  uint64_t local_mem_size; /* of the device heap: the same on all PEs, a multiple of 2 MiB */
  aclshmem_init_optional_attr_t option_attr = {
      (1 << 16) + static_cast<int>(sizeof(aclshmem_init_optional_attr_t)),
      ACLSHMEM_DATA_OP_MTE,
      120,
      120,
      120,
      0};
  void* comm_args = nullptr;
  uint64_t instance_id = 0;
};

/* Types of host RMA and signals, of waits, and of atomics: X(NAME, TYPE). */
#define ACLSHMEMX_RMA_TYPES(X) \
  X(float, float)              \
  X(double, double)            \
  X(int8, int8_t)              \
  X(int16, int16_t)            \
  X(int32, int32_t)            \
  X(int64, int64_t)            \
  X(uint8, uint8_t)            \
  X(uint16, uint16_t)          \
  X(uint32, uint32_t)          \
  X(uint64, uint64_t)          \
  X(char, char)
#define ACLSHMEMX_WAIT_TYPES(X) \
  X(float, float)               \
  X(int8, int8_t)               \
  X(int16, int16_t)             \
  X(int32, int32_t)             \
  X(int64, int64_t)             \
  X(uint8, uint8_t)             \
  X(uint16, uint16_t)           \
  X(uint32, uint32_t)           \
  X(uint64, uint64_t)           \
  X(char, char)
#define ACLSHMEMX_WORD_TYPES(X) \
  X(int32, int32_t) X(int64, int64_t) X(uint32, uint32_t) X(uint64, uint64_t)
#define ACLSHMEMX_ADD_TYPES(X) \
  ACLSHMEMX_WORD_TYPES(X) X(int8, int8_t) X(int16, int16_t) X(float, float)
#define ACLSHMEMX_SWAP_TYPES(X) ACLSHMEMX_WORD_TYPES(X) X(float, float)
#define ACLSHMEMX_SIZES(X) X(8, 1) X(16, 2) X(32, 4) X(64, 8) X(128, 16)

extern "C" {

/* Setup. init_attr is collective; set the device before. */
int aclshmemx_init_status(void);
int aclshmemx_init_attr(aclshmemx_bootstrap_t bootstrap_flags, aclshmemx_init_attr_t* attributes);
int aclshmem_finalize(void);
int aclshmem_my_pe(void);
int aclshmem_n_pes(void);
void aclshmem_info_get_version(int* major, int* minor);
void aclshmem_info_get_name(char* name);
void aclshmem_global_exit(int status);

/* Memory: collective. The plain forms are the device heap. */
void* aclshmem_malloc(size_t size);
void* aclshmem_calloc(size_t nmemb, size_t size);
void* aclshmem_align(size_t alignment, size_t size);
void aclshmem_free(void* ptr);
void* aclshmemx_malloc(size_t size, aclshmem_mem_type_t mem_type = DEVICE_SIDE);
void* aclshmemx_calloc(size_t count, size_t size, aclshmem_mem_type_t mem_type = DEVICE_SIDE);
void* aclshmemx_align(size_t alignment, size_t size, aclshmem_mem_type_t mem_type = DEVICE_SIDE);
void aclshmemx_free(void* ptr, aclshmem_mem_type_t mem_type = DEVICE_SIDE);
void* aclshmemx_get_heap_base(aclshmem_mem_type_t mem_type = DEVICE_SIDE);
void* aclshmem_ptr(void* ptr, int pe);

/* RMA. elem_size counts elements (bytes in the mem forms). */
#define ACLSHMEMX_DECLARE(NAME, TYPE)                                                       \
  void aclshmem_##NAME##_put(TYPE* dest, const TYPE* source, size_t nelems, int pe);        \
  void aclshmem_##NAME##_get(TYPE* dest, const TYPE* source, size_t nelems, int pe);        \
  void aclshmem_##NAME##_put_nbi(TYPE* dest, const TYPE* source, size_t nelems, int pe);    \
  void aclshmem_##NAME##_get_nbi(TYPE* dest, const TYPE* source, size_t nelems, int pe);    \
  void aclshmem_##NAME##_p(TYPE* dst, const TYPE value, int pe);                            \
  TYPE aclshmem_##NAME##_g(const TYPE* src, int32_t pe);                                    \
  void aclshmem_##NAME##_put_signal(TYPE* dst, const TYPE* src, size_t elem_size,           \
                                    int32_t* sig_addr, int32_t signal, int sig_op, int pe); \
  void aclshmem_##NAME##_put_signal_nbi(TYPE* dst, const TYPE* src, size_t elem_size,       \
                                        int32_t* sig_addr, int32_t signal, int sig_op, int pe);
ACLSHMEMX_RMA_TYPES(ACLSHMEMX_DECLARE)
#undef ACLSHMEMX_DECLARE
#define ACLSHMEMX_DECLARE(BITS, BYTES)                                                           \
  void aclshmem_put##BITS(void* dst, const void* src, size_t elem_size, int32_t pe);             \
  void aclshmem_get##BITS(void* dst, const void* src, size_t elem_size, int32_t pe);             \
  void aclshmem_put##BITS##_nbi(void* dst, const void* src, size_t elem_size, int32_t pe);       \
  void aclshmem_get##BITS##_nbi(void* dst, const void* src, size_t elem_size, int32_t pe);       \
  void aclshmem_put##BITS##_signal(void* dst, const void* src, size_t nelems, int32_t* sig_addr, \
                                   int32_t signal, int sig_op, int pe);                          \
  void aclshmem_put##BITS##_signal_nbi(void* dst, const void* src, size_t nelems,                \
                                       int32_t* sig_addr, int32_t signal, int sig_op, int pe);
ACLSHMEMX_SIZES(ACLSHMEMX_DECLARE)
#undef ACLSHMEMX_DECLARE
void aclshmem_putmem(void* dst, const void* src, size_t elem_size, int32_t pe);
void aclshmem_getmem(void* dst, const void* src, size_t elem_size, int32_t pe);
void aclshmem_putmem_nbi(void* dst, const void* src, size_t elem_size, int32_t pe);
void aclshmem_getmem_nbi(void* dst, const void* src, size_t elem_size, int32_t pe);
/* The kernel's names; the host's begin with aclshmemx and take the signal as void pointer. */
void aclshmem_putmem_signal(void* dst, const void* src, size_t elem_size, int32_t* sig_addr,
                            int32_t signal, int sig_op, int pe);
void aclshmem_putmem_signal_nbi(void* dst, const void* src, size_t elem_size, int32_t* sig_addr,
                                int32_t signal, int sig_op, int pe);
void aclshmemx_putmem_signal(void* dst, const void* src, size_t elem_size, void* sig_addr,
                             int32_t signal, int sig_op, int pe);
void aclshmemx_putmem_signal_nbi(void* dst, const void* src, size_t elem_size, void* sig_addr,
                                 int32_t signal, int sig_op, int pe);

/* Signals and waits. */
void aclshmemx_signal_op(int32_t* sig_addr, int32_t signal, int sig_op, int pe);
int32_t aclshmem_signal_wait_until(int32_t* sig_addr, int cmp, int32_t cmp_val);
#define ACLSHMEMX_DECLARE(NAME, TYPE)                                                       \
  void aclshmem_##NAME##_wait_until(TYPE* ivar, int cmp, TYPE cmp_value);                   \
  void aclshmem_##NAME##_wait(TYPE* ivar, TYPE cmp_value); /* until it is something else */ \
  int aclshmem_##NAME##_test(TYPE* ivars, int cmp, TYPE cmp_value);
ACLSHMEMX_WAIT_TYPES(ACLSHMEMX_DECLARE)
#undef ACLSHMEMX_DECLARE

/* Atomics: complete at the target on return. */
#define ACLSHMEMX_DECLARE(NAME, TYPE) \
  void aclshmem_##NAME##_atomic_add(TYPE* dst, TYPE value, int32_t pe);
ACLSHMEMX_ADD_TYPES(ACLSHMEMX_DECLARE)
#undef ACLSHMEMX_DECLARE
#define ACLSHMEMX_DECLARE(NAME, TYPE)                                    \
  void aclshmem_##NAME##_atomic_set(TYPE* dest, TYPE value, int32_t pe); \
  TYPE aclshmem_##NAME##_atomic_swap(TYPE* dest, TYPE value, int32_t pe);
ACLSHMEMX_SWAP_TYPES(ACLSHMEMX_DECLARE)
#undef ACLSHMEMX_DECLARE
#define ACLSHMEMX_DECLARE(NAME, TYPE)                                                        \
  TYPE aclshmem_##NAME##_atomic_fetch(const TYPE* source, int32_t pe);                       \
  TYPE aclshmem_##NAME##_atomic_fetch_add(TYPE* dest, TYPE value, int32_t pe);               \
  void aclshmem_##NAME##_atomic_inc(TYPE* dst, int32_t pe);                                  \
  TYPE aclshmem_##NAME##_atomic_fetch_inc(TYPE* dest, int32_t pe);                           \
  TYPE aclshmem_##NAME##_atomic_compare_swap(TYPE* dest, TYPE cond, TYPE value, int32_t pe); \
  void aclshmem_##NAME##_atomic_and(TYPE* dest, TYPE value, int32_t pe);                     \
  void aclshmem_##NAME##_atomic_or(TYPE* dest, TYPE value, int32_t pe);                      \
  void aclshmem_##NAME##_atomic_xor(TYPE* dest, TYPE value, int32_t pe);                     \
  TYPE aclshmem_##NAME##_atomic_fetch_and(TYPE* dest, TYPE value, int32_t pe);               \
  TYPE aclshmem_##NAME##_atomic_fetch_or(TYPE* dest, TYPE value, int32_t pe);                \
  TYPE aclshmem_##NAME##_atomic_fetch_xor(TYPE* dest, TYPE value, int32_t pe);
ACLSHMEMX_WORD_TYPES(ACLSHMEMX_DECLARE)
#undef ACLSHMEMX_DECLARE

/* Order and meeting. */
void aclshmem_quiet(void);
void aclshmem_fence(void);
void aclshmem_barrier_all(void);
void aclshmemx_barrier_all_vec(void);
void aclshmem_sync_all(void);

} /* extern "C" */

/* The host's spellings of what the kernel's say otherwise: the typed put-with-signal takes its
 * signal word as uint8_t*, and test gives its result through a pointer. */
#define ACLSHMEMX_DEFINE(NAME, TYPE)                                                            \
  inline void aclshmem_##NAME##_put_signal(TYPE* dst, const TYPE* src, size_t elem_size,        \
                                           uint8_t* sig_addr, int32_t signal, int sig_op,       \
                                           int pe) {                                            \
    aclshmem_##NAME##_put_signal(dst, src, elem_size, reinterpret_cast<int32_t*>(sig_addr),     \
                                 signal, sig_op, pe);                                           \
  }                                                                                             \
  inline void aclshmem_##NAME##_put_signal_nbi(TYPE* dst, const TYPE* src, size_t elem_size,    \
                                               uint8_t* sig_addr, int32_t signal, int sig_op,   \
                                               int pe) {                                        \
    aclshmem_##NAME##_put_signal_nbi(dst, src, elem_size, reinterpret_cast<int32_t*>(sig_addr), \
                                     signal, sig_op, pe);                                       \
  }
ACLSHMEMX_RMA_TYPES(ACLSHMEMX_DEFINE)
#undef ACLSHMEMX_DEFINE
#define ACLSHMEMX_DEFINE(NAME, TYPE)                                                       \
  inline void aclshmem_##NAME##_test(TYPE* ivars, int cmp, TYPE cmp_value, int* res_out) { \
    *res_out = aclshmem_##NAME##_test(ivars, cmp, cmp_value);                              \
  }
ACLSHMEMX_WAIT_TYPES(ACLSHMEMX_DEFINE)
#undef ACLSHMEMX_DEFINE

#endif /* ACLSHMEM_H */
