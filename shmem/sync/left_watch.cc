#include "shmem/sync/left_watch.h"

#include "runtime/base/clock.h"
#include "shmem/sync/wait.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"

#include <cstddef>

namespace canopy::shmem {

LeftWatch::LeftWatch(World& world, int pe)
    : world_(world), pe_(pe), mapped_(world.plan().mapped(world.my_pe(), pe)) {}

LeftWatch::~LeftWatch() {
  if (asked_ && !ticket_.settled()) {
    const auto settled = [&] {
      world_.far()->progress();
      return ticket_.settled();
    };
    wait_posted(world_, settled, pe_, "the end of a wait");
  }
}

bool LeftWatch::left() {
  if (mapped_) {
    // Acquire: pairs with the release in World::finalize(), before which it did all that it owes
    // us.
    return load_acquire(&world_.control(pe_).leaving) != 0;
  }
  if (in_kernel()) {
    return false;  // blocks enter no transport
  }
  if (asked_) {
    if (!ticket_.settled()) {
      return false;
    }
    asked_ = false;
    if (leaving_ != 0) {
      return true;
    }
  }
  const uint64_t now = monotonic_ns();
  if (next_ns_ == 0) {
    next_ns_ = now + kEveryNs;  // most waits are over before it is worth asking
  } else if (now >= next_ns_) {
    next_ns_ = now + kEveryNs;
    ticket_ = {};
    // Back-pressure, or a loss that others will tell: another time.
    asked_ =
        world_.far()
            ->way_to(pe_)
            ->post_get(&leaving_, {pe_, FarPaths::kControlPage, offsetof(ControlPage, leaving)},
                       sizeof leaving_, &ticket_)
            .has_value();
  }
  return false;
}

}  // namespace canopy::shmem
