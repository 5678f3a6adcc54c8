#include "runtime/core/event.h"

#include "runtime/core/callback_scope.h"
#include "runtime/core/shared_event.h"

#include "acl/rt/event.h"
#include "runtime/base/clock.h"
#include "runtime/core/runtime.h"
#include "runtime/core/stream.h"
#include "runtime/device/launch_board.h"
#include "runtime/device/timed_event_wait.h"

#include <mutex>
#include <utility>

namespace canopy {
namespace {

void post_record(Stream& stream, EventCell* cell, bool timed) {
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::event_record;
    sqe.timed = timed ? 1 : 0;
    sqe.body.event.cell = cell;
  });
}

// The record has come and has let all its waits go. It lets go of them right after the cell turns complete:
// until then it is waited for.
bool waits_passed(EventCell& cell) {
  if (!cell.complete()) {
    return !cell.has_waits();
  }
  wait_until([&] { return !cell.record_is_ending(); }, nullptr, BellScope::process, Deadline::never(),
             [] { return std::string("a record to let its waits go"); });
  return !cell.has_waits();
}

}  // namespace

bool Event::timed() const { return flags_ == 0 || (flags_ & ACL_EVENT_TIME_LINE) != 0; }
bool Event::waitable() const { return flags_ == 0 || (flags_ & (ACL_EVENT_SYNC | ACL_EVENT_EXTERNAL)) != 0; }
bool Event::resettable() const { return flags_ != 0 && waitable(); }

void Event::end() {
  Dropped dropped;
  Dropped with_waits;
  EventCell* awaited = nullptr;
  {
    std::lock_guard lock(lock_);
    awaited = open() == Open::yes ? newest_ : nullptr;
    replace_newest(nullptr, &dropped);
    with_waits.older = std::exchange(older_, nullptr);  // whether those are over or not
    older_last_ = nullptr;
  }
  if (awaited != nullptr) {
    awaited->release_waiters();
  }
  if (const uint32_t id = id_.exchange(kNoId, std::memory_order_relaxed); id != kNoId) {
    ids_.give(id);
  }
}

void Event::Dropped::add(EventCell* cell) {
  if (cell != nullptr) {
    cells[count++] = cell;
  }
}

Event::Dropped::~Dropped() {
  for (uint32_t i = 0; i < count; ++i) {
    cells[i]->drop_reference();
  }
  while (older != nullptr) {
    EventCell* next = older->next_free;
    older->drop_reference();
    older = next;
  }
}

Result<uint32_t> Event::id() {
  if (shared_ != nullptr) {
    return not_between_processes("have no number");
  }
  // Relaxed throughout: a number, nothing else.
  uint32_t id = id_.load(std::memory_order_relaxed);
  if (id != kNoId) [[likely]] {
    return id;
  }
  const auto fresh = ids_.take();
  if (!fresh) {
    return fail(Errc::no_event, "device {}: all {} event numbers are taken", device_, ids_.limit());
  }
  if (!id_.compare_exchange_strong(id, *fresh, std::memory_order_relaxed)) {
    ids_.give(*fresh);  // another thread was faster
    return id;
  }
  return *fresh;
}

// ---- Records.

EventCell* Event::claim_open() {
  // A wait that opens a cell just now is seen to in record().
  if (open() != Open::yes) [[likely]] {
    return nullptr;
  }
  std::lock_guard lock(lock_);
  if (open() != Open::yes) {
    return nullptr;
  }
  set_open(Open::claimed);
  newest_->add_shares(EventCell::kHolder + EventCell::kRecord);  // the holder is the caller
  return newest_;
}

tl::unexpected<Error> Event::not_between_processes(const char* what) const {
  return fail(Errc::not_supported, "events between processes (ACL_EVENT_IPC) {}", what);
}

Result<> Event::record(Stream& stream) {
  if (shared_ != nullptr) [[unlikely]] {
    return shared_->record(stream);
  }
  CANOPY_TRY(id());
  if (for_level(stream)) [[unlikely]] {
    return record_level(stream);
  }
  EventCell* cell = claim_open();
  if (cell == nullptr) [[likely]] {
    CANOPY_ASSIGN(cell, stream.strand().device().events().take(EventCell::kHolder + EventCell::kRecord));
  }
  // Queued before anybody can find it: a wait for a record that is not in its queue yet could get in
  // front of it there, and two of those block each other for ever.
  const StreamPoint at = stream.point();
  post_record(stream, cell, timed());
  EventCell* opened = nullptr;
  {
    Dropped dropped;
    std::lock_guard lock(lock_);
    if (open() == Open::yes || (is_level() && newest_ != cell)) [[unlikely]] {
      // A wait that came meanwhile waits for this record, or the event has become a level.
      opened = newest_;
      opened->add_shares(EventCell::kRecord);
    }
    if (is_level()) [[unlikely]] {
      dropped.add(cell);
    } else {
      replace_newest(cell, &dropped);
      recorded_on_ = &stream;
      recorded_at_ = at;
    }
  }
  if (opened != nullptr) [[unlikely]] {
    post_record(stream, opened, false);
  }
  return {};
}

void Event::replace_newest(EventCell* cell, Dropped* dropped) {
  dropped->add(std::exchange(reset_, nullptr));
  dropped->add(std::exchange(before_reset_, nullptr));
  if (older_ != nullptr) [[unlikely]] {
    forget_passed_waits(dropped);
  }
  EventCell* before = std::exchange(newest_, cell);
  set_open(Open::no);  // of a level only when the event goes
  was_reset_ = false;
  recorded_on_ = nullptr;
  recorded_at_ = StreamPoint();
  if (before != nullptr && before != cell && family_ == Family::old_style && before->has_waits()) {
    before->next_free = nullptr;
    (older_ == nullptr ? older_ : older_last_->next_free) = before;
    older_last_ = before;
  } else {
    dropped->add(before);  // also when it stays, for it then has claim_open()'s share too
  }
}

void Event::forget_passed_waits(Dropped* dropped) {
  EventCell* last = nullptr;
  for (EventCell* cell = older_; cell != nullptr && !cell->has_waits(); cell = cell->next_free) {
    last = cell;
  }
  if (last != nullptr) {
    dropped->older = std::exchange(older_, last->next_free);
    last->next_free = nullptr;
  }
}

Result<> Event::reset(Stream& stream) {
  if (family_ == Family::new_style) {
    return fail(Errc::not_supported, "events made by aclrtCreateEventExWithFlag are not reset: a record replaces the one "
                "before");
  }
  if (!resettable()) {
    return fail(Errc::invalid_argument, "reset of an event made with flags {:#x}: aclrtCreateEventWithFlag with "
                "ACL_EVENT_SYNC makes events that can be reset", flags_);
  }
  if (for_level(stream)) {
    return reset_level(stream);
  }
  CANOPY_ASSIGN(EventCell * mark, stream.strand().device().events().take(EventCell::kHolder + EventCell::kRecord));
  post_record(stream, mark, false);
  Dropped dropped;
  std::lock_guard lock(lock_);
  if (newest_ == nullptr || open() != Open::no) {
    dropped.add(mark);  // not recorded as it is, or a level by now
    return {};
  }
  EventCell* shown = visible();
  if (shown != nullptr) {
    shown->add_shares(EventCell::kHolder);
  }
  replace_newest(nullptr, &dropped);
  was_reset_ = true;
  reset_ = mark;
  before_reset_ = shown;
  return {};
}

// ---- Waits.

EventCell* Event::bind_wait(const Stream& stream, StreamPoint* behind) {
  if (recorded_on_ == &stream || newest_->complete()) {
    return nullptr;
  }
  newest_->add_shares(EventCell::kWait);
  *behind = recorded_at_;
  return newest_;
}

Result<EventCell*> Event::cell_to_wait_for(Stream& stream, StreamPoint* behind) {
  bool will_be_recorded;
  {
    std::lock_guard lock(lock_);
    if (newest_ != nullptr) [[likely]] {
      return bind_wait(stream, behind);
    }
    will_be_recorded = was_reset_ || (flags_ & ACL_EVENT_EXTERNAL) != 0;
  }
  if (!will_be_recorded) {
    if (family_ == Family::new_style) {
      return nullptr;
    }
    return fail(Errc::invalid_argument, "stream {}: wait for an event that was never recorded", stream.id());
  }
  CANOPY_TRY(id());
  CANOPY_ASSIGN(EventCell * open, stream.strand().device().events().take(EventCell::kHolder));
  Dropped dropped;
  std::lock_guard lock(lock_);
  if (newest_ == nullptr) {
    newest_ = open;
    set_open(Open::yes);
  } else {
    dropped.add(open);  // another thread was faster, with an open cell or a record
  }
  return bind_wait(stream, behind);
}

void Event::post_wait(Stream& stream, EventCell* cell, uint32_t number, uint32_t limit_s) {
  if (limit_s == 0) [[likely]] {
    stream.post(0, [&](Sqe& sqe, std::byte*) {
      sqe.kind = SqeKind::event_wait;
      sqe.body.event.cell = cell;
      sqe.body.event.id = number;
    });
    return;
  }
  const uint64_t limit_ns = uint64_t{limit_s} * 1'000'000'000;
  auto* wait = new TimedEventWait(cell, number, limit_ns);
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::timed_event_wait;
    sqe.body.timed_event = {wait, limit_ns, cell, number, 0};
  });
}

Result<> Event::wait(Stream& stream, uint32_t limit_s) {
  if (limit_s != 0) {
    CANOPY_TRY(stream.strand().scheduler().wait_timer().start());
  }
  if (shared_ != nullptr) [[unlikely]] {
    if (stream.stored()) {
      return not_between_processes("are not for streams of models");
    }
    CANOPY_ASSIGN(EventCell * cell, shared_->cell_of_newest(stream.strand().device().events(), EventCell::kWait));
    if (cell != nullptr) {
      post_wait(stream, cell, 0, limit_s);
    }
    return {};
  }
  if (!waitable()) {
    return fail(Errc::invalid_argument, "stream {}: wait for an event made with flags {:#x}, without ACL_EVENT_SYNC",
                stream.id(), flags_);
  }
  if (for_level(stream)) [[unlikely]] {
    return wait_level(stream, limit_s);
  }
  StreamPoint behind;
  CANOPY_ASSIGN(EventCell * cell, cell_to_wait_for(stream, &behind));
  if (cell == nullptr) {
    return {};
  }
  post_wait(stream, cell, id_.load(std::memory_order_relaxed), limit_s);  // the number is for reports
  if (limit_s == 0 && behind.stream_id >= 0) [[unlikely]] {
    stream.note_follows(behind);
  }
  return {};
}

// ---- On the host.

EventCell* Event::visible() const {
  if (reset_ != nullptr && !reset_->complete()) {
    return before_reset_;
  }
  return open() == Open::no || is_level() ? newest_ : nullptr;
}

EventCell* Event::hold() {
  std::lock_guard lock(lock_);
  EventCell* cell = visible();
  if (cell != nullptr) {
    cell->add_shares(EventCell::kHolder);
  }
  return cell;
}

Result<bool> Event::query() {
  if (shared_ != nullptr) [[unlikely]] {
    return shared_->newest_is_complete();
  }
  std::lock_guard lock(lock_);
  const EventCell* cell = visible();
  return cell == nullptr ? family_ == Family::new_style : cell->complete();
}

Result<bool> Event::waits_over() {
  if (family_ == Family::new_style) {
    return fail(Errc::invalid_argument, "events made by aclrtCreateEventExWithFlag do not know who waits for them");
  }
  for (;;) {
    EventCell* cell;
    bool newest;
    {
      Dropped dropped;
      std::lock_guard lock(lock_);
      forget_passed_waits(&dropped);
      newest = older_ == nullptr;
      if (newest && is_level()) {
        return !newest_->has_waits();
      }
      cell = newest ? newest_ : older_;
      if (cell == nullptr) {
        return true;
      }
      cell->add_shares(EventCell::kHolder);
    }
    const bool over = waits_passed(*cell);
    cell->drop_reference();
    if (!over || newest) {
      return over;
    }
  }
}

Result<> Event::synchronize(Deadline deadline) {
  CANOPY_TRY(CallbackScope::refuse("synchronising with an event"));
  if (shared_ != nullptr) {
    CANOPY_ASSIGN(Driver * driver, Driver::current());
    Device* device = driver->find_device(device_);
    if (device == nullptr) {
      return fail(Errc::bad_device, "device {} is not open in this process any more", device_);
    }
    CANOPY_ASSIGN(EventCell * record, shared_->cell_of_newest(device->cores().events(), EventCell::kHolder));
    return record == nullptr ? Result<>() : synchronize_with(record, deadline);
  }
  EventCell* cell = hold();
  if (cell == nullptr) {
    if (family_ == Family::new_style) {
      return {};
    }
    return fail(Errc::invalid_argument, "synchronize with an event that was never recorded, or was reset");
  }
  return synchronize_with(cell, deadline);
}

// Takes the caller's share.
Result<> Event::synchronize_with(EventCell* cell, Deadline deadline) {
  const auto describe = [&] { return fmt::format("device {}: an event record to complete{}", device_, describe_waits()); };
  // Acquire: pairs with EventCell::lose_record().
  const auto lost = [&] { return cell->lost.load(std::memory_order_acquire); };
  const WaitEnd end = wait_until([&] { return cell->complete() || cell->failed() || lost(); }, &cell->bell, BellScope::process,
                                 deadline, describe);
  const bool made = cell->complete();
  const bool failed = cell->failed();
  cell->drop_reference();
  if (failed || (end == WaitEnd::ready && !made)) {
    CANOPY_TRY(Runtime::instance().device_news().check(device_));
  }
  if (failed) {
    return fail(Errc::peer_lost, "the process that was to make the event's record is gone, or has dropped it");
  }
  if (end == WaitEnd::ready && !made) {
    return fail(Errc::stream_aborted, "device {}: the event's record was dropped, for its stream was aborted or has "
                "stopped", device_);
  }
  if (end == WaitEnd::deadline) {
    return fail(Errc::event_timeout, "{}", describe());
  }
  return {};
}

Result<uint64_t> Event::timestamp_ns() {
  if (shared_ != nullptr) {
    return not_between_processes("have no times");
  }
  EventCell* cell = hold();
  if (cell == nullptr) {
    return fail(Errc::not_recorded, "the event was never recorded, or was reset");
  }
  const bool complete = cell->complete();
  const uint64_t at = complete ? TickScale::to_ns(std::atomic_ref(cell->completed_at).load(std::memory_order_relaxed)) : 0;
  cell->drop_reference();
  if (!timed()) {
    return fail(Errc::no_timestamp, "the event was created without ACL_EVENT_TIME_LINE (flags {:#x})", flags_);
  }
  if (!complete) {
    return fail(Errc::not_ready, "the event's newest record has not completed");
  }
  return at;
}

}  // namespace canopy
