#include "runtime/driver/orphan_counts.h"

#include "runtime/base/log.h"
#include "runtime/driver/host_table.h"

namespace canopy {

// REQUIRES: mutex_ held, and `held` not counted.
void OrphanCounts::try_count(uint64_t inode, Held& held) {
  if (!table_.take_name(inode)) {
    return;  // another process counts it
  }
  // Beyond the capacity, if need be: the memory is in use, whoever has come meanwhile.
  if (auto counted = table_.reserve(held.device, held.bytes, ~uint64_t{0}); !counted) {
    log(LogLevel::warn, "{} bytes of a process that is gone count nowhere: {}", held.bytes, error_text::take_newest());
    table_.drop_name(inode);
    return;
  }
  held.counted = true;
  uncounted_.fetch_sub(1, std::memory_order_relaxed);
}

void OrphanCounts::begin(uint64_t inode, int device, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  const auto [at, fresh] = held_.try_emplace(inode, Held{device, bytes, 0, false});
  ++at->second.holders;
  if (fresh) {
    uncounted_.fetch_add(1, std::memory_order_relaxed);
    try_count(inode, at->second);
  }
}

void OrphanCounts::end(uint64_t inode) {
  bool counted;
  {
    std::lock_guard lock(mutex_);
    const auto found = held_.find(inode);
    if (found == held_.end() || --found->second.holders != 0) {
      return;
    }
    counted = found->second.counted;
    if (counted) {
      table_.release(found->second.device, found->second.bytes);
      table_.drop_name(inode);
    } else {
      uncounted_.fetch_sub(1, std::memory_order_relaxed);
    }
    held_.erase(found);
  }
  if (counted) {
    table_.devices().announce();  // others may hold it
  }
}

void OrphanCounts::look() {
  if (uncounted_.load(std::memory_order_relaxed) == 0) {
    return;
  }
  std::lock_guard lock(mutex_);
  for (auto& [inode, held] : held_) {
    if (!held.counted) {
      try_count(inode, held);
    }
  }
}

}  // namespace canopy
