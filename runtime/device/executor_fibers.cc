// The part of Executor that parks, resumes and hands over fibers.
#include "runtime/device/executor.h"

#include "runtime/base/check.h"
#include "runtime/device/scheduler.h"

#include <mutex>
#include <utility>

namespace canopy {
namespace {

// Relaxed: the code travels with the strand's error; a poll that misses it looks again.
bool launch_failed(const Scheduler& scheduler, const Fiber& fiber) {
  if (fiber.block == nullptr) {
    return false;
  }
  const Launch& launch = *fiber.block->launch;
  return launch.failed.load(std::memory_order_relaxed) || scheduler.ends_early(launch);
}

}  // namespace

bool Executor::run_ready_fiber() {
  Fiber* fiber = pop_fiber();
  if (fiber == nullptr) {
    return false;
  }
  ++fiber_turns_;
  give_core_back();
  // This loop's stack is free once it has been left; it continues here when taken from the pool.
  Fiber* self = running_;
  note_waiting_work();
  pool_.give(self);
  run_next(*fiber);
  fiber->owner = this;
  Fiber::switch_to(*self, *fiber);
  return true;
}

Fiber* Executor::pop_fiber() {
  if ((ready_bits_.load(std::memory_order_relaxed) & kFiberBit) == 0) {
    return nullptr;
  }
  std::lock_guard lock(lock_);
  Fiber* fiber = fibers_first_;
  if (fiber != nullptr) {
    fibers_first_ = fiber->next;
    fiber->next = nullptr;
    if (fibers_first_ == nullptr) {
      fibers_last_ = nullptr;
      set_bits(ready_bits_.load(std::memory_order_relaxed) & ~kFiberBit);
    }
  }
  return fiber;
}

void Executor::push_fibers(Fiber* first, Fiber* last) {
  std::lock_guard lock(lock_);
  last->next = nullptr;
  if (fibers_last_ == nullptr) {
    fibers_first_ = first;
  } else {
    fibers_last_->next = first;
  }
  fibers_last_ = last;
  set_bits(ready_bits_.load(std::memory_order_relaxed) | kFiberBit);
}

void Executor::park() {
  Executor* self = current();
  self->count_progress();
  Fiber* from = self->running_;
  Fiber* to;
  if (++self->fiber_turns_ >= kFiberTurns && self->loop_has_work()) {
    to = self->loop_fiber();
  } else {
    to = self->pop_fiber();
    if (to == from) {
      return;  // woken before it had gone to sleep
    }
    if (to == nullptr) {
      to = self->pool_.take();
    }
  }
  self->leave_for(*from, *to);
}

void Executor::run_next(Fiber& fiber) {
  running_ = &fiber;
  note_launch(fiber.block == nullptr ? nullptr : fiber.block->launch);
}

void Executor::leave_for(Fiber& from, Fiber& to) {
  to.owner = this;
  run_next(to);
  note_waiting_work();
  Fiber::switch_to(from, to);
}

void Executor::park_polling(int (*poll)(void*), void* argument, const char* what, const WordFacts& facts) {
  Executor* self = current();
  Fiber* fiber = self->running_;
  fiber->poll = poll;
  fiber->poll_argument = argument;
  fiber->begin_wait(what, facts);
  {
    std::lock_guard lock(self->lock_);
    fiber->next = self->polls_;
    self->polls_ = fiber;
    self->poll_count_.fetch_add(1, std::memory_order_relaxed);
  }
  park();
  fiber->end_wait();
}

void Executor::yield() {
  Executor* self = current();
  Fiber* from = self->running_;
  self->push_fiber(from);
  if (!self->loop_has_work()) {
    park();
    return;
  }
  // What the block yields for may be a stream or a polled wait, which only the loop finds.
  self->count_progress();
  self->leave_for(*from, *self->loop_fiber());
}

void Executor::check_polls() {
  Fiber* list;
  {
    std::lock_guard lock(lock_);
    list = std::exchange(polls_, nullptr);
  }
  Fiber* kept = nullptr;
  Fiber* kept_last = nullptr;
  uint32_t done = 0;
  while (list != nullptr) {
    Fiber* fiber = list;
    list = fiber->next;
    // A fiber that another thread is still leaving cannot be resumed yet.
    if (fiber->parked() && (launch_failed(scheduler_, *fiber) || fiber->poll(fiber->poll_argument) != 0)) {
      fiber->poll = nullptr;
      ++done;
      push_fiber(fiber);
    } else {
      fiber->next = kept;
      kept = fiber;
      if (kept_last == nullptr) {
        kept_last = fiber;
      }
    }
  }
  std::lock_guard lock(lock_);
  if (kept != nullptr) {
    kept_last->next = polls_;
    polls_ = kept;
  }
  poll_count_.fetch_sub(done, std::memory_order_relaxed);
}

void Executor::hand_over_to(Executor& thief) {
  Fiber* fibers;
  Fiber* polls;
  {
    std::lock_guard lock(lock_);
    fibers = std::exchange(fibers_first_, nullptr);
    fibers_last_ = nullptr;
    set_bits(ready_bits_.load(std::memory_order_relaxed) & ~kFiberBit);
    polls = std::exchange(polls_, nullptr);
  }
  while (fibers != nullptr) {
    Fiber* fiber = fibers;
    fibers = fiber->next;
    fiber->owner = &thief;
    // A ready fiber that is still being left goes back to where it is leaving.
    (fiber->parked() ? thief : *this).push_fiber(fiber);
  }
  if (polls != nullptr) {
    // Counted one by one: this executor may be in check_polls(), with others of its list in hand.
    uint32_t polled = 1;
    Fiber* last = polls;
    last->owner = &thief;
    while (last->next != nullptr) {
      last = last->next;
      last->owner = &thief;
      ++polled;
    }
    poll_count_.fetch_sub(polled, std::memory_order_relaxed);
    std::lock_guard lock(thief.lock_);
    last->next = thief.polls_;
    thief.polls_ = polls;
    thief.poll_count_.fetch_add(polled, std::memory_order_relaxed);
  }
}

}  // namespace canopy
