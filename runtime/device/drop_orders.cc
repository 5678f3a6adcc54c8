#include "runtime/device/drop_orders.h"

#include "runtime/device/gate.h"
#include "runtime/device/notify_cell.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/timed_event_wait.h"

#include <algorithm>
#include <mutex>
#include <new>

namespace canopy {

void DropOrders::add(Strand* strand) {
  {
    std::lock_guard lock(mutex_);
    if (std::find(strands_.begin(), strands_.end(), strand) == strands_.end()) {
      strands_.push_back(strand);
      scheduler_.raise_attention();
    }
  }
  ask_for_chase();
  scheduler_.arm_watchdog();  // see hold_kernels()
}

void DropOrders::add_kernels_to(std::vector<const Launch*>* launches) {
  std::lock_guard lock(mutex_);
  for (Strand* strand : strands_) {
    std::lock_guard no_writes(strand->producer_lock());
    const Sqe* oldest = strand->oldest();
    if (oldest != nullptr && oldest->kind == SqeKind::kernel && strand->drops_head()) {
      launches->push_back(&strand->launch());
    }
  }
}

void DropOrders::remove(Strand* strand) {
  {
    std::lock_guard lock(mutex_);
    if (std::erase(strands_, strand) == 0) {
      return;
    }
    scheduler_.lower_attention();
  }
  // Who has found it here may be about to interrupt its kernel; the stream's next one has the same launch.
  scheduler_.wait_for_interrupts();
}

void DropOrders::ask_for_chase() {
  // Release: the mark of the strand, and the cell that it was put in; pairs with chase().
  wanted_.store(true, std::memory_order_release);
  scheduler_.ring_watchdog();
}

void DropOrders::ask_for_sweep(EventCell* cell) {
  try {
    std::lock_guard lock(sweeps_mutex_);
    sweeps_.push_back(cell);
  } catch (const std::bad_alloc&) {
    return;  // the wait stays until the record comes, or another one runs out
  }
  ask_for_chase();
}

// The cells may be anybody's by now, as in take_off_wait().
void DropOrders::sweep() {
  std::vector<EventCell*> cells;
  {
    std::lock_guard lock(sweeps_mutex_);
    cells.swap(sweeps_);
  }
  std::sort(cells.begin(), cells.end());
  cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
  for (EventCell* cell : cells) {
    cell->remove_run_out();
  }
}

void DropOrders::chase() {
  wanted_.exchange(false, std::memory_order_acq_rel);
  sweep();
  Rest rest;
  {
    std::lock_guard lock(mutex_);
    for (Strand* strand : strands_) {
      take_off_wait(*strand, &rest);
    }
  }
  // Without the lock: end() waits for a limit that runs out just now, and that may add orders, as a failure may.
  for (TimedEventWait* wait : rest.ended) {
    EventCell* cell = wait->cell;
    uint64_t over = 0;
    if (Strand* strand = wait->end(&over)) {  // else the limit was faster
      scheduler_.submit(strand, true);
    }
    cell->drop_shares(over);
  }
  for (const auto& [cell, strand] : rest.leaving) {
    if (cell->leave_waiter(strand)) {
      scheduler_.submit(strand, true);
    }
  }
  scheduler_.ring_pollers();
}

// The cells may have got other waits by now, for they are never freed: the strand itself is looked
// for.
void DropOrders::take_off_wait(Strand& strand, Rest* rest) {
  Sqe head;
  {
    std::lock_guard lock(strand.producer_lock());  // nobody writes over the entry
    const Sqe* oldest = strand.oldest();
    if (oldest == nullptr || !(strand.drops_head() || strand.leaves_lost_waits())) {
      return;
    }
    head = *oldest;
  }
  switch (head.kind) {
    case SqeKind::event_wait:
      if (head.body.event.cell->remove_waiter(&strand)) {
        head.body.event.cell->drop_shares(EventCell::kWait);
        scheduler_.submit(&strand, true);
      }
      break;
    case SqeKind::timed_event_wait:
      if (TimedEventWait* wait = head.body.timed_event.cell->remove_timed_waiter(&strand)) {
        rest->ended.push_back(wait);
      }
      break;
    case SqeKind::notify_wait:
      if (head.body.notify_wait.cell->remove_waiter(&strand)) {
        scheduler_.submit(&strand, true);
      } else if (strand.leaves_lost_waits()) {
        rest->leaving.emplace_back(head.body.notify_wait.cell, &strand);
      }
      break;
    case SqeKind::kernel:
      scheduler_.release_waiting(strand.launch());
      break;
    default:
      break;  // between its tasks the owner sees the mark, and a wait for a value polls it
  }
}

void drop_task(Strand& strand, const Sqe& sqe) {
  switch (sqe.kind) {
    case SqeKind::event_record:
      sqe.body.event.cell->lose_record();
      break;
    case SqeKind::event_clear:
      sqe.body.event.cell->drop_reference();
      break;
    case SqeKind::event_wait:
      sqe.body.event.cell->drop_shares(EventCell::kWait);
      break;
    case SqeKind::timed_event_wait:
      sqe.body.timed_event.cell->drop_shares(EventCell::kWait);
      delete sqe.body.timed_event.wait;
      break;
    case SqeKind::notify_record:
      sqe.body.notify_record.cell->drop_reference();
      break;
    case SqeKind::notify_wait:
      sqe.body.notify_wait.cell->drop_reference();
      break;
    case SqeKind::step:
      sqe.body.step.function(strand, sqe.body.step.argument, true);
      break;
    case SqeKind::gate:
      sqe.body.gate->drop();
      break;
    case SqeKind::kernel:
    case SqeKind::copy:
    case SqeKind::fill:
    case SqeKind::call:
    case SqeKind::value_write:
    case SqeKind::value_wait:
      break;  // their arguments go with the entry
  }
}

}  // namespace canopy
