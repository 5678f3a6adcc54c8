#include "runtime/device/stored_task.h"

#include "runtime/device/event_bank.h"
#include "runtime/device/notify_cell.h"
#include "runtime/device/timed_event_wait.h"

namespace canopy {

void take_shares(Sqe& copy) {
  copy.args_end = 0;
  copy.heap_args = nullptr;
  switch (copy.kind) {
    case SqeKind::event_record:
      copy.body.event.cell->add_shares(EventCell::kRecord);
      break;
    case SqeKind::event_clear:
      copy.body.event.cell->add_shares(EventCell::kHolder);
      break;
    case SqeKind::event_wait:
      copy.body.event.cell->add_shares(EventCell::kWait);
      break;
    case SqeKind::timed_event_wait: {
      auto& timed = copy.body.timed_event;
      timed.cell->add_shares(EventCell::kWait);
      timed.wait = new TimedEventWait(timed.cell, timed.id, timed.limit_ns);
      break;
    }
    case SqeKind::notify_record:
      copy.body.notify_record.cell->acquire_reference();
      break;
    case SqeKind::notify_wait:
      copy.body.notify_wait.cell->acquire_reference();
      break;
    default:
      break;  // names nothing but memory, and its arguments
  }
}

void drop_kept_task(const Sqe& kept) {
  switch (kept.kind) {
    case SqeKind::event_record:
    case SqeKind::event_clear:
    case SqeKind::event_wait:
      kept.body.event.cell->drop_reference();
      break;
    case SqeKind::timed_event_wait:
      kept.body.timed_event.cell->drop_reference();
      break;
    case SqeKind::notify_record:
      kept.body.notify_record.cell->drop_reference();
      break;
    case SqeKind::notify_wait:
      kept.body.notify_wait.cell->drop_reference();
      break;
    default:
      break;
  }
}

}  // namespace canopy
