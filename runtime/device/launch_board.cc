#include "runtime/device/launch_board.h"

#include "runtime/device/strand.h"

#include <mutex>

namespace canopy {

void DeviceCores::open(Launch* launch) {
  std::lock_guard lock(lock_);
  Launch** at = &first_;
  while (*at != nullptr && (*at)->strand->priority() <= launch->strand->priority()) {
    at = &(*at)->next_open;
  }
  launch->next_open = *at;
  *at = launch;
  open_count_.store(open_count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

bool DeviceCores::claim(BlockClaim* out, uint8_t at_least, uint32_t executor, bool* last) {
  std::lock_guard lock(lock_);
  for (Launch** at = &first_; *at != nullptr; at = &(*at)->next_open) {
    Launch* launch = *at;
    if (launch->strand->priority() > at_least) {
      return false;
    }
    const int core = pool(launch->kind).acquire(executor);
    if (core < 0) {
      continue;  // a launch of another kind may still find a core
    }
    *out = BlockClaim{launch, launch->next_block++, core};
    *last = launch->next_block == launch->blocks;
    if (*last) {
      *at = launch->next_open;
      open_count_.store(open_count_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    }
    return true;
  }
  return false;
}

bool DeviceCores::claimable() {
  std::lock_guard lock(lock_);
  for (const Launch* launch = first_; launch != nullptr; launch = launch->next_open) {
    if (pool(launch->kind).any_free()) {
      return true;
    }
  }
  return false;
}

}  // namespace canopy
