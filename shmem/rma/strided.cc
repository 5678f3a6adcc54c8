#include "shmem/rma/strided.h"

#include "shmem/world/world.h"

namespace canopy::shmem {

void bad_strides(const Hot& hot, const Strides& strides, const char* routine) {
  if (hot.world == nullptr) {
    bad_target(hot, nullptr, 0, 1, 0, routine);
  }
  hot.world->fail_job(
      kMisuseStatus,
      fmt::format("pe {}: {}: strides {} (dest) and {} (source) must be at least {}, or elements "
                  "would overlap",
                  hot.my_pe, routine, strides.to, strides.from, strides.block));
}

}  // namespace canopy::shmem
