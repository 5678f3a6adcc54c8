#include "runtime/device/timed_event_wait.h"

#include "runtime/base/clock.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/strand.h"
#include "runtime/device/task_text.h"

#include <fmt/format.h>

namespace canopy {

bool TimedEventWait::begin(Strand* waiter) {
  EventCell* const record = cell;
  if (record->complete()) {
    record->drop_shares(EventCell::kWait);
    delete this;
    return true;
  }
  strand = waiter;
  at_ns = monotonic_ns() + limit_ns;
  expire = &TimedEventWait::run_out;
  Scheduler& scheduler = waiter->scheduler();
  timer_ = &scheduler.wait_timer();
  // Before anybody can end the wait. If it runs out at once, the strand is gone from here, but this
  // object is not.
  if (WaitTimer* timer = timer_; timer->arm(this)) {
    timer->wake();
  }
  const uint32_t event = event_id;
  if (record->add_waiter(this)) {
    // acq_rel: who comes second sees what the other has done.
    const uint32_t before = phase_.fetch_or(kBegun, std::memory_order_acq_rel);
    if ((before & kEnded) != 0) {
      delete this;
    } else if ((before & kRanOut) != 0) {
      scheduler.orders().ask_for_sweep(record);
    }
    return false;
  }
  phase_.fetch_or(kBegun, std::memory_order_relaxed);
  uint64_t over = 0;
  // The record came meanwhile, or was there. The strand is ours again only if the limit had not given it away before:
  // until then it may be running elsewhere, or be gone.
  Strand* const back = end(&over);
  if (back != nullptr) {
    record->note_failure(*back, event);
  }
  record->drop_shares(over);
  return back != nullptr;
}

Strand* TimedEventWait::end(uint64_t* shares_over) {
  timer_->cancel(this);
  const bool ran_out = has_run_out();
  *shares_over += ran_out ? EventCell::kHolder : EventCell::kWait;
  Strand* const waiter = ran_out ? nullptr : strand;  // a strand that went on may be gone
  if ((phase_.fetch_or(kEnded, std::memory_order_acq_rel) & kBegun) != 0) {
    delete this;
  }
  return waiter;
}

// Until this returns, who has taken the wait off the cell waits in cancel().
void TimedEventWait::run_out(Node* node) {
  auto* wait = static_cast<TimedEventWait*>(node);
  Strand* const waiter = wait->strand;
  Scheduler& scheduler = waiter->scheduler();
  // The wait is over, its share is not. Relaxed: no order hangs on it.
  wait->cell->add_shares(EventCell::kHolder - EventCell::kWait);
  waiter->record_error(kWaitTimeout, fmt::format("the wait for event {} ran past its limit of {}",
                                                 wait->event_id, describe_span(wait->limit_ns)));
  const uint32_t before = wait->phase_.fetch_or(kRanOut, std::memory_order_acq_rel);
  if ((before & kBegun) != 0) {
    scheduler.orders().ask_for_sweep(wait->cell);
  }
  scheduler.submit(waiter, true);
}

}  // namespace canopy
