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

// Of a launch with options. REQUIRES: lock_ held.
bool DeviceCores::may_start(const Launch& launch) {
  const LaunchOptions& options = *launch.options;
  if (options.most_cores == 0) {
    return true;
  }
  const uint32_t started = launch.blocks - (launch.end_block - launch.next_block);
  // Relaxed: who ends a block claims the next one after it, so a count that comes late is asked for again.
  return started - launch.ended.load(std::memory_order_relaxed) < options.most_cores;
}

// REQUIRES: lock_ held.
int DeviceCores::take_core(Launch& launch, CoreHand& hand) {
  CorePool& cores = pool(launch.kind);
  if (launch.options == nullptr) [[likely]] {
    return hand.take(cores);
  }
  if (!may_start(launch)) {
    return -1;
  }
  if (!launch.options->together) {
    return hand.take(cores);
  }
  if (launch.held_cores.empty()) {
    hold_cores(launch, hand);
  }
  if (launch.held_cores.empty()) {
    return -1;
  }
  const int core = launch.held_cores.back();
  launch.held_cores.pop_back();
  return core;
}

// A core for every block, or none.
void DeviceCores::hold_cores(Launch& launch, CoreHand& hand) {
  CorePool& cores = pool(launch.kind);
  hand.give_back();
  while (launch.held_cores.size() < launch.blocks) {
    const int core = cores.acquire(hand.hint());
    if (core < 0) {
      for (const int32_t held : launch.held_cores) {
        cores.release(held);
      }
      launch.held_cores.clear();
      return;
    }
    launch.held_cores.push_back(core);
  }
}

bool DeviceCores::claim(BlockClaim* out, uint8_t at_least, CoreHand& hand, bool* last) {
  std::lock_guard lock(lock_);
  for (Launch** at = &first_; *at != nullptr; at = &(*at)->next_open) {
    Launch* launch = *at;
    if (launch->strand->priority() > at_least) {
      return false;
    }
    const int core = take_core(*launch, hand);
    if (core < 0) {
      continue;  // a launch of another kind may still find a core
    }
    *out = BlockClaim{launch, launch->next_block++, core};
    *last = launch->next_block == launch->end_block;
    if (*last) {
      *at = launch->next_open;
      open_count_.store(open_count_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    }
    return true;
  }
  return false;
}

bool DeviceCores::has_started(const Launch& launch) {
  std::lock_guard lock(lock_);
  return launch.next_block != (launch.options != nullptr ? launch.options->first_block : 0);
}

// REQUIRES: lock_ held.
bool DeviceCores::claimable(const Launch& launch) {
  if (launch.options == nullptr) [[likely]] {
    return pool(launch.kind).any_free();
  }
  if (launch.options->together) {
    return !launch.held_cores.empty() || pool(launch.kind).free_count() >= launch.blocks;
  }
  return may_start(launch) && pool(launch.kind).any_free();
}

bool DeviceCores::claimable() {
  std::lock_guard lock(lock_);
  for (const Launch* launch = first_; launch != nullptr; launch = launch->next_open) {
    if (claimable(*launch)) {
      return true;
    }
  }
  return false;
}

}  // namespace canopy
