/* What a kernel sees: the C++ spelling of a device kernel on a simulated NPU.
 *
 * A kernel is an ordinary C++ function, compiled by the ordinary compiler into the program or into a
 * shared object that aclrtBinaryLoadFromFile loads:
 *
 *     #include <canopy/kernel.h>
 *
 *     __global__ __aicore__ void axpy(GM_ADDR x, GM_ADDR y, float a, uint32_t n) {
 *       auto* in = reinterpret_cast<__gm__ float*>(x);
 *       auto* out = reinterpret_cast<__gm__ float*>(y);
 *       for (uint32_t i = GetBlockIdx(); i < n; i += GetBlockNum()) out[i] += a * in[i];
 *     }
 *     CANOPY_KERNEL(axpy)
 *
 * CANOPY_KERNEL records the name, the parameters' sizes and the core kind. Parameters travel in a
 * blob laid out as a C struct with the same members in the same order (natural alignment), which is
 * what aclrtLaunchKernel and aclrtLaunchKernelWithHostArgs take; canopy::launch() builds it.
 *
 * Each of the launch's blocks runs as a fiber on one simulated core. Blocks may wait for each other
 * (SyncAll, flags, memory that another block writes): a wait through this header gives the executor
 * to others; a plain spin on memory also works, and costs what spinning costs.
 *
 * The functions below may be called from kernels only, unless said otherwise.
 */
#ifndef CANOPY_KERNEL_H
#define CANOPY_KERNEL_H

#ifndef __cplusplus
#error "kernels are C++: include canopy/kernel.h from C++"
#endif

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "acl/acl_rt.h"

#define __global__
#define __aicore__
#define __gm__
#define __ubuf__
using GM_ADDR = uint8_t*;

/* Core kinds, with the values of aclrtKernelType. */
#define CANOPY_CORE_CUBE 1
#define CANOPY_CORE_VECTOR 2
#define CANOPY_CORE_MIX 3
#define CANOPY_CORE_AICPU 100

extern "C" {

/* ---- ABI between kernels and the runtime; kernels use the functions further down. */

/* One kernel of a module: what CANOPY_KERNEL records. */
typedef struct canopy_kernel_record {
  uint32_t version; /* 1 */
  uint32_t core_kind;
  const char* name;
  void (*entry)(const void* args); /* unpacks the blob and calls the kernel */
  const void* symbol;              /* the kernel function itself */
  uint32_t param_count;
  uint32_t args_bytes;
  const uint32_t* param_sizes;
  const uint32_t* param_offsets;
} canopy_kernel_record;

/* Adds a kernel to the module that is being loaded, or to the program. Any thread. */
void canopy_register_kernel(const canopy_kernel_record* record);

uint32_t canopy_block_idx(void);
uint32_t canopy_block_num(void);
uint32_t canopy_core_kind(void);
uint32_t canopy_core_id(void);
int32_t canopy_device_id(void);
/* 1 when the caller is a block of a kernel. Any thread. */
int canopy_in_kernel(void);
/* Gives the executor to another ready block; returns soon. */
void canopy_yield(void);
/* Waits until ready(arg) returns non-zero, which the runtime evaluates between other work. ready must
 * be short, must not block, and may run on another thread's stack. `what` names the wait in hang reports
 * and in the timeline. Outside a kernel it waits on the calling thread. */
void canopy_wait_until(int (*ready)(void* arg), void* arg, const char* what);
/* The same for a wait that looks at one word, which hang reports and the debugger's commands then show: where it
 * lies, what is wanted, what it is. `ready` alone decides. */
typedef struct canopy_awaited_word {
  const volatile void* address;
  uint64_t wanted;  /* as many low bytes of it as the word has */
  uint8_t bytes;    /* of the word: 1, 2, 4, 8 */
  uint8_t test;     /* CANOPY_WORD_* */
  uint8_t is_signed;
} canopy_awaited_word;
#define CANOPY_WORD_EQUAL 1
#define CANOPY_WORD_NOT_EQUAL 2
#define CANOPY_WORD_ABOVE 3
#define CANOPY_WORD_AT_LEAST 4
#define CANOPY_WORD_BELOW 5
#define CANOPY_WORD_AT_MOST 6
#define CANOPY_WORD_SOME_BITS 7 /* of `wanted` are set in the word */
#define CANOPY_WORD_ALL_BITS 8
void canopy_wait_for_word(int (*ready)(void* arg), void* arg, const char* what, const canopy_awaited_word* word);
/* Waits for all blocks of this launch. */
void canopy_sync_all(void);
/* The unified buffer of this block's core: scratch that lives as long as the block. `bytes` (may be
 * null) gets its size. */
void* canopy_unified_buffer(size_t* bytes);
/* How much of it the launch asked for (ACL_RT_LAUNCH_KERNEL_ATTR_DYN_UBUF_SIZE), 0 when it did not. */
uint32_t canopy_dynamic_buffer_bytes(void);
/* Floating-point overflow. Kernels compute as the host does, which notices nothing: a kernel that knows
 * of an overflow says so. It counts if the stream's overflow switch was on at the launch
 * (aclrtSetStreamOverflowSwitch), and is seen by aclrtGetOverflowStatus. */
void canopy_raise_overflow(void);
/* 1 when what overflows is to become the largest number (the mode of the device when the stream was created:
 * aclrtSetDeviceSatMode), 0 when it is to become infinite. */
int canopy_saturates(void);
/* Flags between the blocks of a launch: a counter per id (0 to 15). set adds one, wait waits until the
 * counter is at least one and takes one away. */
void canopy_flag_set(uint32_t id);
void canopy_flag_wait(uint32_t id);
/* Fails the task with the trap code of its core kind (507018 on AI CPUs), after printing the sentence. This block ends
 * here (nothing is unwound), the launch's other blocks at their next wait. */
void canopy_kernel_assert(const char* condition, const char* file, int line);
/* printf of a kernel: goes to the host's stdout, one call's text in one piece. */
int canopy_kernel_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));
/* The timeline (canopy trace): a named span on this block's core. `name` must stay valid (a literal). A
 * call costs a few ns when no trace is being recorded. */
void canopy_span_begin(const char* name);
void canopy_span_end(void);

} /* extern "C" */

/* ---- The names kernels use. */

inline uint32_t GetBlockIdx() { return canopy_block_idx(); }
inline uint32_t GetBlockNum() { return canopy_block_num(); }
inline void SyncAll() { canopy_sync_all(); }

namespace canopy {

/* A span on the timeline for as long as the object lives. */
class Span {
 public:
  explicit Span(const char* name) { canopy_span_begin(name); }
  ~Span() { canopy_span_end(); }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
};

namespace detail {

constexpr size_t align_up(size_t at, size_t alignment) {
  return (at + alignment - 1) / alignment * alignment;
}

/* Where each parameter lies in the blob: a C struct's natural layout. */
template <class... A>
struct ArgsLayout {
  static constexpr size_t count = sizeof...(A);
  uint32_t sizes[count + 1] = {};
  uint32_t offsets[count + 1] = {};
  uint32_t bytes = 0;

  constexpr ArgsLayout() {
    size_t at = 0;
    size_t i = 0;
    size_t widest = 1;
    ((at = align_up(at, alignof(A)), offsets[i] = static_cast<uint32_t>(at),
      sizes[i] = static_cast<uint32_t>(sizeof(A)), at += sizeof(A), ++i,
      widest = alignof(A) > widest ? alignof(A) : widest),
     ...);
    bytes = static_cast<uint32_t>(align_up(at, widest));
  }
};

template <class Function>
struct KernelTraits;
template <class... A>
struct KernelTraits<void (*)(A...) noexcept> : KernelTraits<void (*)(A...)> {};
template <class... A>
struct KernelTraits<void (*)(A...)> {
  static_assert((std::is_trivially_copyable_v<A> && ...), "kernel parameters are copied as bytes");
  static constexpr ArgsLayout<A...> layout{};

  template <void (*kernel)(A...)>
  static void entry(const void* args) {
    call<kernel>(static_cast<const char*>(args), std::index_sequence_for<A...>{});
  }

 private:
  template <class T>
  static T load(const char* at) {
    T value;
    __builtin_memcpy(&value, at, sizeof value);
    return value;
  }
  template <void (*kernel)(A...), size_t... i>
  static void call([[maybe_unused]] const char* args, std::index_sequence<i...>) {
    kernel(load<A>(args + layout.offsets[i])...);
  }
};

struct Registration {
  explicit Registration(const canopy_kernel_record& record) { canopy_register_kernel(&record); }
};

}  // namespace detail

/* Launches a kernel of this program: canopy::launch(axpy, blocks, stream, x, y, a, n). Stands in for
 * axpy<<<blocks, nullptr, stream>>>(x, y, a, n). Returns what aclrtLaunchKernelWithHostArgs returns;
 * the arguments are copied before it returns. Host code only. */
template <class... P, class... A>
aclError launch(void (*kernel)(P...), uint32_t blocks, aclrtStream stream, A&&... args) {
  static_assert(sizeof...(P) == sizeof...(A), "as many arguments as the kernel has parameters");
  aclrtFuncHandle function = nullptr;
  if (aclError code = aclrtGetFuncBySymbol(reinterpret_cast<const void*>(kernel), &function)) {
    return code;
  }
  constexpr detail::ArgsLayout<P...> layout{};
  alignas(16) unsigned char blob[layout.bytes + 1] = {};
  [[maybe_unused]] size_t i = 0;
  ((void)([&] {
     P value = static_cast<P>(std::forward<A>(args));
     __builtin_memcpy(blob + layout.offsets[i++], &value, sizeof value);
   }()),
   ...);
  return aclrtLaunchKernelWithHostArgs(function, blocks, stream, nullptr, blob, layout.bytes, nullptr, 0);
}

}  // namespace canopy

#define CANOPY_KERNEL_OF_KIND(kernel, kind)                                                       \
  namespace {                                                                                     \
  const canopy_kernel_record canopy_record_##kernel = {                                           \
      1,                                                                                          \
      kind,                                                                                       \
      #kernel,                                                                                    \
      &::canopy::detail::KernelTraits<decltype(&kernel)>::template entry<&kernel>,                \
      reinterpret_cast<const void*>(&kernel),                                                     \
      static_cast<uint32_t>(::canopy::detail::KernelTraits<decltype(&kernel)>::layout.count),     \
      ::canopy::detail::KernelTraits<decltype(&kernel)>::layout.bytes,                            \
      ::canopy::detail::KernelTraits<decltype(&kernel)>::layout.sizes,                            \
      ::canopy::detail::KernelTraits<decltype(&kernel)>::layout.offsets};                         \
  const ::canopy::detail::Registration canopy_registration_##kernel(canopy_record_##kernel);      \
  }
/* Records a kernel that runs on vector cores (the default of kernels that only move and combine),
 * on cube cores, or on both; or on the AI CPUs: host code, which may lock, allocate and wait, but knows no
 * SyncAll and no unified buffer. */
#define CANOPY_KERNEL(kernel) CANOPY_KERNEL_OF_KIND(kernel, CANOPY_CORE_VECTOR)
#define CANOPY_KERNEL_CUBE(kernel) CANOPY_KERNEL_OF_KIND(kernel, CANOPY_CORE_CUBE)
#define CANOPY_KERNEL_MIX(kernel) CANOPY_KERNEL_OF_KIND(kernel, CANOPY_CORE_MIX)
#define CANOPY_KERNEL_AICPU(kernel) CANOPY_KERNEL_OF_KIND(kernel, CANOPY_CORE_AICPU)

#define canopy_assert(condition) \
  ((condition) ? (void)0 : canopy_kernel_assert(#condition, __FILE__, __LINE__))

#endif /* CANOPY_KERNEL_H */
