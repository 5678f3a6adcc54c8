#include "runtime/device/event_bank.h"

#include "runtime/base/clock.h"
#include "runtime/device/strand.h"

#include <mutex>

namespace canopy {

void EventCell::drop_references(uint32_t count) {
  // acq_rel: the last holder sees everything the others did with the cell.
  if (references.fetch_sub(count, std::memory_order_acq_rel) == count) {
    bank->give(this);
  }
}

bool EventCell::add_waiter(Strand* strand) {
  // Acquire: a complete cell shows what the recording stream did before; pairs with finish().
  uintptr_t seen = state.load(std::memory_order_acquire);
  do {
    if (seen == kComplete) {
      return false;
    }
    strand->next_waiter = reinterpret_cast<Strand*>(seen);
    // Release: the strand's state is visible to the executor that resumes it.
  } while (!state.compare_exchange_weak(seen, reinterpret_cast<uintptr_t>(strand),
                                        std::memory_order_release, std::memory_order_acquire));
  return true;
}

Strand* EventCell::finish(bool timed) {
  if (timed) {
    completed_at = ticks();
  }
  // Release publishes the recording stream's effects, acquire takes over the waiting strands.
  const uintptr_t waiters = state.exchange(kComplete, std::memory_order_acq_rel);
  bell.ring(BellScope::process);
  return reinterpret_cast<Strand*>(waiters);
}

Result<EventCell*> EventBank::take(uint32_t references) {
  std::lock_guard lock(lock_);
  // Relaxed: only changed under the lock.
  if (in_use_.load(std::memory_order_relaxed) >= limit_) [[unlikely]] {
    return fail(Errc::no_event, "all {} event records of the device are pending or held", limit_);
  }
  if (free_ == nullptr) {
    chunks_.push_back(std::make_unique<EventCell[]>(kChunk));
    for (uint32_t i = 0; i < kChunk; ++i) {
      EventCell& cell = chunks_.back()[i];
      cell.bank = this;
      cell.next_free = free_;
      free_ = &cell;
    }
  }
  EventCell* cell = free_;
  free_ = cell->next_free;
  in_use_.store(in_use_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  // Relaxed: the cell reaches other threads through a ring or a lock.
  cell->state.store(0, std::memory_order_relaxed);
  cell->references.store(references, std::memory_order_relaxed);
  return cell;
}

void EventBank::give(EventCell* cell) {
  bool last;
  {
    std::lock_guard lock(lock_);
    cell->next_free = free_;
    free_ = cell;
    const uint32_t left = in_use_.load(std::memory_order_relaxed) - 1;
    in_use_.store(left, std::memory_order_relaxed);
    last = retired_ && left == 0;
  }
  if (last) [[unlikely]] {
    delete this;
  }
}

void EventBank::retire() {
  bool last;
  {
    std::lock_guard lock(lock_);
    retired_ = true;
    last = in_use_.load(std::memory_order_relaxed) == 0;
  }
  if (last) {
    delete this;
  }
}

}  // namespace canopy
