#include "runtime/device/timed_event_wait.h"

#include "runtime/base/clock.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/strand.h"
#include "runtime/device/task_text.h"

#include <memory>

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
  timer_ = &waiter->scheduler().wait_timer();
  // Before anybody can end the wait. If it runs out at once, the strand is gone from here, but this
  // object is not.
  if (WaitTimer* timer = timer_; timer->arm(this)) {
    timer->wake();
  }
  if (record->add_waiter(this)) {
    return false;
  }
  const uint32_t event = event_id;
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
  std::unique_ptr<TimedEventWait> owner(this);
  timer_->cancel(this);
  *shares_over += ran_out_ ? EventCell::kHolder : EventCell::kWait;
  return ran_out_ ? nullptr : strand;  // a strand that went on may be gone
}

// Until this returns, who has taken the wait off the cell waits in cancel().
void TimedEventWait::run_out(Node* node) {
  auto* wait = static_cast<TimedEventWait*>(node);
  Strand* waiter = wait->strand;
  wait->ran_out_ = true;
  // The wait is over, its share is not. Relaxed: no order hangs on it.
  wait->cell->add_shares(EventCell::kHolder - EventCell::kWait);
  waiter->record_error(kWaitTimeout, fmt::format("the wait for event {} ran past its limit of {}",
                                                 wait->event_id, describe_span(wait->limit_ns)));
  waiter->scheduler().submit(waiter, true);
}

}  // namespace canopy
