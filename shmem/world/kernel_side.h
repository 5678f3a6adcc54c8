// KernelSide: what shmem needs from the runtime that executes kernels, as functions that the upper
// side registers. So this layer links without any runtime, and tests of threads-as-PEs need none.
#pragma once

#include "runtime/base/doorbell.h"

#include <cstdint>

namespace canopy::shmem {

// A word that a wait looks at, for reports of hangs and for debuggers.
struct AwaitedWord {
  enum class Test : uint8_t { equal, not_equal, above, at_least, below, at_most };
  const volatile void* address;
  uint64_t wanted;  // as many low bytes of it as the word has
  uint8_t bytes;
  Test test;
  bool is_signed;
};

struct KernelSide {
  // Non-zero when the caller is a block of a kernel.
  int (*in_kernel)() = nullptr;
  // Gives the executor away until ready(arg) is non-zero; `what` names the wait, `word` may be null.
  void (*wait_until)(int (*ready)(void* arg), void* arg, const char* what, const AwaitedWord* word) = nullptr;
  // A number for the core that the calling block runs on, different for each of the process.
  uint64_t (*core)() = nullptr;
  // Sleeping executors wake when `bell` is rung; null takes it back.
  void (*set_remote_bell)(Doorbell* bell) = nullptr;
};

namespace kernel_side_detail {
extern KernelSide registered;
}

// Called once, at load time, before any World exists.
void register_kernel_side(const KernelSide& side);

inline const KernelSide& kernel_side() { return kernel_side_detail::registered; }
inline bool in_kernel() {
  return kernel_side().in_kernel != nullptr && kernel_side().in_kernel() != 0;
}

}  // namespace canopy::shmem
