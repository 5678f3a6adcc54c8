#include "runtime/device/event_bank.h"

#include "runtime/base/clock.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/strand.h"
#include "runtime/device/timed_event_wait.h"

#include <mutex>
#include <utility>

namespace canopy {
namespace {

bool add_to_list(std::atomic<uintptr_t>& state, uintptr_t waiter, Strand** next) {
  // Acquire: a complete cell shows what the recording stream did before; pairs with finish().
  uintptr_t seen = state.load(std::memory_order_acquire);
  do {
    if (seen == EventCell::kComplete) {
      return false;
    }
    *next = reinterpret_cast<Strand*>(seen);
    // Release: the waiter's state is visible to the executor that resumes it.
  } while (!state.compare_exchange_weak(seen, waiter, std::memory_order_release, std::memory_order_acquire));
  return true;
}

}  // namespace

void EventCell::drop_shares(uint64_t shares_to_drop) {
  // acq_rel: the last holder sees everything the others did with the cell.
  if (shares.fetch_sub(shares_to_drop, std::memory_order_acq_rel) == shares_to_drop) {
    bank->give(this);
  }
}

bool EventCell::add_waiter(Strand* strand) {
  return add_to_list(state, reinterpret_cast<uintptr_t>(strand), &strand->next_waiter);
}

bool EventCell::add_waiter(TimedEventWait* wait) {
  return add_to_list(state, reinterpret_cast<uintptr_t>(wait) | kTimed, &wait->next_waiter);
}

void EventCell::release_waiters() {
  Strand* waiters = finish(false);
  uint64_t over = 0;
  while (Strand* strand = next_woken(&waiters, &over)) {
    strand->scheduler().submit(strand, true);
  }
  if (over != 0) {
    drop_shares(over);
  }
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

Result<EventCell*> EventBank::take(uint64_t shares) {
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
  cell->shares.store(shares, std::memory_order_relaxed);
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
