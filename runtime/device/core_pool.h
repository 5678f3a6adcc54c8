// CorePool: which cores of one kind are busy. Lock-free; any thread.
//
// The cores lie in groups with a cache line each. An executor starts its search at a group of its own, so
// that executors that run small tasks side by side do not pass one line to and fro.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/device/engine_stats.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <utility>

namespace canopy {

class CorePool {
 public:
  explicit CorePool(uint32_t cores, uint32_t wanted_groups = 1) : CorePool(CoreGroups::of(cores, wanted_groups), nullptr) {}
  // The groups lie at `place`, which outlives the pool; null: in memory of its own.
  CorePool(const CoreGroups& layout, CoreGroup* place)
      : cores_(layout.cores),
        shift_(layout.shift),
        groups_(layout.groups),
        own_(place == nullptr ? new CoreGroup[groups_] : nullptr),
        free_(place == nullptr ? own_.get() : place) {
    for (uint32_t g = 0; g < groups_; ++g) {
      free_[g].bits.store(cores_of(g), std::memory_order_relaxed);
    }
  }

  uint32_t cores() const { return cores_; }

  // A free core, or -1. Looks first in the group that `hint` falls on; within a group it prefers the lowest,
  // so that few cores stay warm.
  int acquire(uint32_t hint = 0) {
    uint32_t g = hint < groups_ || groups_ == 0 ? hint : hint % groups_;
    for (uint32_t looked = 0; looked < groups_; ++looked) {
      std::atomic<uint64_t>& bits = free_[g].bits;
      const uint64_t ours = cores_of(g);  // the file is not ours alone: what others wrote into it must not become a number
      uint64_t seen = bits.load(std::memory_order_relaxed);
      while (const uint64_t free = seen & ours) {
        const uint64_t bit = free & (~free + 1);
        // Acquire: what the core's last block did is over; pairs with release().
        if (bits.compare_exchange_weak(seen, seen & ~bit, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
          return static_cast<int>((g << shift_) + static_cast<uint32_t>(std::countr_zero(bit)));
        }
      }
      g = g + 1 == groups_ ? 0 : g + 1;
    }
    return -1;
  }
  // Whether a block holds the core, a hint.
  bool taken(uint32_t core) const {
    const uint64_t bit = 1ull << (core & ((1u << shift_) - 1));
    return (free_[core >> shift_].bits.load(std::memory_order_relaxed) & bit) == 0;
  }
  bool any_free() const {
    for (uint32_t g = 0; g < groups_; ++g) {
      if (free_[g].bits.load(std::memory_order_relaxed) != 0) {
        return true;
      }
    }
    return false;
  }
  uint32_t free_count() const {
    uint32_t free = 0;
    for (uint32_t g = 0; g < groups_; ++g) {
      free += static_cast<uint32_t>(std::popcount(free_[g].bits.load(std::memory_order_relaxed)));
    }
    return free;
  }
  void release(int core) {
    const auto at = static_cast<uint32_t>(core);
    free_[at >> shift_].bits.fetch_or(1ull << (at & ((1u << shift_) - 1)), std::memory_order_release);
  }

 private:
  // The bits that name cores of group `g`.
  uint64_t cores_of(uint32_t g) const {
    const uint32_t cores = std::min(cores_ - (g << shift_), 1u << shift_);
    return cores >= 64 ? ~0ull : (1ull << cores) - 1;
  }

  const uint32_t cores_;
  const uint32_t shift_;
  const uint32_t groups_;
  const std::unique_ptr<CoreGroup[]> own_;
  CoreGroup* const free_;
};

// What an executor has of the cores: the one that its last block has left stays with it for the next one, so that
// small tasks in a row take and give no core. Others see it taken meanwhile, as while a block runs on it; so who goes
// on with anything that may last, or with nothing, gives it back first. Belongs to the executor's thread.
class CoreHand {
 public:
  // `hint`: see CorePool::acquire().
  explicit CoreHand(uint32_t hint) : hint_(hint) {}
  CoreHand(const CoreHand&) = delete;
  CoreHand& operator=(const CoreHand&) = delete;

  // A core of `pool`, or -1.
  int take(CorePool& pool) {
    if (pool_ == &pool) [[likely]] {
      pool_ = nullptr;
      return core_;
    }
    give_back();
    return pool.acquire(hint_);
  }
  // A block has left its core.
  void put(CorePool& pool, int core) {
    give_back();
    pool_ = &pool;
    core_ = core;
  }
  // Nobody but this executor could use what it keeps. False: it keeps nothing.
  bool give_back() {
    if (pool_ == nullptr) {
      return false;
    }
    std::exchange(pool_, nullptr)->release(core_);
    return true;
  }
  bool keeps_other_than(const CorePool& pool) const { return pool_ != nullptr && pool_ != &pool; }
  uint32_t hint() const { return hint_; }

 private:
  const uint32_t hint_;
  CorePool* pool_ = nullptr;  // null: no core is kept
  int core_ = -1;
};

}  // namespace canopy
