#include "shmem/sync/wait.h"

#include "shmem/world/world.h"

namespace canopy::shmem {

void wait_on_host(World& world, Doorbell& bell, FunctionRef<bool()> ready, WakenBy waker,
                  FunctionRef<std::string()> describe) {
  const uint64_t start = monotonic_ns();
  if (canopy::wait_until(ready, &bell, BellScope::host, Deadline::user_default(), describe, waker) ==
      WaitEnd::deadline) {
    world.fail_job(kTimeoutStatus, fmt::format("gave up after {} ms (CANOPY_TIMEOUT): {}",
                                               (monotonic_ns() - start) / 1'000'000, describe()));
  }
}

}  // namespace canopy::shmem
