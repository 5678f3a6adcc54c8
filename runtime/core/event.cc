#include "runtime/core/event.h"

#include "runtime/base/clock.h"
#include "runtime/core/stream.h"
#include "runtime/device/launch_board.h"

#include <mutex>

namespace canopy {

Event::~Event() {
  if (newest_ != nullptr) {
    newest_->drop_reference();
  }
}

Result<> Event::record(Stream& stream) {
  // One reference for the event, one for the queued record.
  CANOPY_ASSIGN(EventCell * cell, stream.strand().device().events().take(2));
  // Queued before anybody can find it: a wait for a record that is not in its queue yet could get in
  // front of it there, and two of those block each other for ever.
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::event_record;
    sqe.timed = timed_ ? 1 : 0;
    sqe.body.event.cell = cell;
  });
  EventCell* before;
  {
    std::lock_guard lock(lock_);
    before = std::exchange(newest_, cell);
    recorded_on_ = &stream;
  }
  if (before != nullptr) {
    before->drop_reference();
  }
  return {};
}

Result<> Event::wait(Stream& stream) {
  EventCell* cell;
  {
    std::lock_guard lock(lock_);
    cell = newest_;
    if (cell == nullptr) {
      if (family_ == Family::new_style) {
        return {};
      }
      return fail(Errc::invalid_argument, "stream {}: wait for an event that was never recorded", stream.id());
    }
    if (recorded_on_ == &stream || cell->complete()) {
      return {};
    }
    cell->acquire_reference();  // dropped when the wait has been executed
  }
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::event_wait;
    sqe.body.event.cell = cell;
  });
  return {};
}

EventCell* Event::hold() {
  std::lock_guard lock(lock_);
  if (newest_ != nullptr) {
    newest_->acquire_reference();
  }
  return newest_;
}

bool Event::query() {
  std::lock_guard lock(lock_);
  return newest_ == nullptr ? family_ == Family::new_style : newest_->complete();
}

Result<> Event::synchronize(Deadline deadline) {
  EventCell* cell = hold();
  if (cell == nullptr) {
    if (family_ == Family::new_style) {
      return {};
    }
    return fail(Errc::invalid_argument, "synchronize with an event that was never recorded");
  }
  const auto describe = [&] { return fmt::format("device {}: an event record to complete", device_); };
  const WaitEnd end = wait_until([&] { return cell->complete(); }, &cell->bell, BellScope::process,
                                 deadline, describe);
  cell->drop_reference();
  if (end == WaitEnd::deadline) {
    return fail(Errc::event_timeout, "{}", describe());
  }
  return {};
}

Result<uint64_t> Event::timestamp_ns() {
  EventCell* cell = hold();
  if (cell == nullptr) {
    return fail(Errc::not_recorded, "the event was never recorded");
  }
  const bool complete = cell->complete();
  const uint64_t at = complete ? TickScale::to_ns(cell->completed_at) : 0;
  cell->drop_reference();
  if (!timed_) {
    return fail(Errc::no_timestamp, "the event was created without ACL_EVENT_TIME_LINE (flags {:#x})", flags_);
  }
  if (!complete) {
    return fail(Errc::not_ready, "the event's newest record has not completed");
  }
  return at;
}

}  // namespace canopy
