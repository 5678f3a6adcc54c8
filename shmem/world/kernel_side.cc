#include "shmem/world/kernel_side.h"

namespace canopy::shmem {

namespace kernel_side_detail {
KernelSide registered;
}

void register_kernel_side(const KernelSide& side) { kernel_side_detail::registered = side; }

}  // namespace canopy::shmem
