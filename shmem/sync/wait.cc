#include "shmem/sync/wait.h"

#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"

namespace canopy::shmem {
namespace {

// A wait that has lasted this long is about to sleep: whoever serves peers meanwhile takes over.
constexpr uint64_t kRestAfterNs = 50'000;

void wait_or_give_up(World& world, Doorbell& bell, FunctionRef<bool()> ready, WakenBy waker,
                     FunctionRef<std::string()> describe) {
  const uint64_t start = monotonic_ns();
  if (canopy::wait_until(ready, &bell, BellScope::host, Deadline::user_default(), describe,
                         waker) == WaitEnd::deadline) {
    world.fail_job(kTimeoutStatus, fmt::format("gave up after {} ms (CANOPY_TIMEOUT): {}",
                                               (monotonic_ns() - start) / 1'000'000, describe()));
  }
}

}  // namespace

void make_progress(World& world) {
  if (FarPaths* far = world.far()) {
    far->progress();
  }
}

void wait_on_host(World& world, Doorbell& bell, FunctionRef<bool()> ready, WakenBy waker,
                  FunctionRef<std::string()> describe) {
  FarPaths* far = world.far();
  if (far == nullptr) {
    wait_or_give_up(world, bell, ready, waker, describe);
    return;
  }
  const uint64_t start = monotonic_ns();
  const auto look = [&] {
    if (ready()) {
      return true;
    }
    far->progress();
    if (ready()) {
      return true;
    }
    if (monotonic_ns() - start > kRestAfterNs) {
      far->rest();
    }
    return false;
  };
  wait_or_give_up(world, bell, look, waker, describe);
}

void wait_posted(World& world, FunctionRef<bool()> ready, int pe, const char* routine) {
  const uint64_t start = monotonic_ns();
  const auto look = [&] {
    if (ready()) {
      return true;
    }
    if (monotonic_ns() - start > kRestAfterNs) {
      world.far()->rest();
    }
    return false;
  };
  wait_or_give_up(world, world.bell(), look, WakenBy::anyone, [&] {
    const std::string whom = pe < 0 ? "what it has posted" : fmt::format("PE {}", pe);
    return fmt::format("pe {} waits for {} ({})", world.my_pe(), whom, routine);
  });
}

}  // namespace canopy::shmem
