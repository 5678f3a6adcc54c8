// Kernels with state, loaded by binary_test.cc.
#include "canopy/kernel.h"

namespace {
uint64_t calls = 0;
}

// Of vague linkage, so that a loader could merge it between two loads.
inline uint64_t shared_calls = 0;

__global__ __aicore__ void count_calls(GM_ADDR out) {
  auto* result = reinterpret_cast<__gm__ uint64_t*>(out);
  result[0] = ++calls;
  result[1] = ++shared_calls;
}
CANOPY_KERNEL(count_calls)

__global__ __aicore__ void add_up(GM_ADDR out, uint64_t value) { *reinterpret_cast<__gm__ uint64_t*>(out) += value; }
CANOPY_KERNEL_CUBE(add_up)

// As compilers number the variants of a kernel.
__global__ __aicore__ void tiled_10022() {}
CANOPY_KERNEL(tiled_10022)

extern "C" {
uint64_t start_values[3] = {11, 12, 13};
void plain_function() {}
}
