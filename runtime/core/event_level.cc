// The part of Event that is a level: of the old family, once a stored stream has used it.
#include "runtime/core/event.h"

#include "acl/rt/event.h"
#include "runtime/core/stream.h"
#include "runtime/device/launch_board.h"
#include "runtime/device/timed_event_wait.h"

#include <mutex>

namespace canopy {
namespace {

// Of tasks that are kept. Relaxed: a number, and who wants to know which of two came first orders them.
uint64_t next_order() {
  static std::atomic<uint64_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

Result<EventCell*> Event::take_level(Stream& stream, uint64_t kind) {
  if (family_ == Family::new_style) {
    return fail(Errc::not_supported,
                "stream {}: events made by aclrtCreateEventExWithFlag are not for streams of models",
                stream.id());
  }
  CANOPY_TRY(id());
  EventCell* fresh = nullptr;
  if (!is_level()) {
    CANOPY_ASSIGN(fresh, stream.strand().device().events().take(EventCell::kHolder));
  }
  Dropped dropped;
  std::lock_guard lock(lock_);
  if (!is_level() && newest_ == nullptr) {
    newest_ = std::exchange(fresh, nullptr);
  }
  // The newest record goes on as the level: whoever waits for it, or is about to make it, holds its
  // cell.
  set_open(Open::level);
  was_reset_ = false;
  recorded_on_ = nullptr;
  recorded_at_ = StreamPoint();
  dropped.add(fresh);
  newest_->add_shares(stream.stored() ? EventCell::kHolder : kind);
  return newest_;
}

Result<> Event::record_level(Stream& stream) {
  CANOPY_ASSIGN(EventCell * cell, take_level(stream, EventCell::kRecord));
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::event_record;
    sqe.timed = timed() ? 1 : 0;
    sqe.body.event = {cell, id_.load(std::memory_order_relaxed), next_order()};
  });
  return {};
}

Result<> Event::wait_level(Stream& stream, uint32_t limit_s) {
  {
    std::lock_guard lock(lock_);
    const bool will_be_recorded = was_reset_ || (flags_ & ACL_EVENT_EXTERNAL) != 0;
    if (newest_ == nullptr && !will_be_recorded && family_ == Family::old_style) {
      return fail(Errc::invalid_argument, "stream {}: wait for an event that was never recorded",
                  stream.id());
    }
    if (!stream.stored() && newest_->complete()) {
      return {};
    }
  }
  CANOPY_ASSIGN(EventCell * cell, take_level(stream, EventCell::kWait));
  const uint32_t number = id_.load(std::memory_order_relaxed);
  if (limit_s == 0) {
    stream.post(0, [&](Sqe& sqe, std::byte*) {
      sqe.kind = SqeKind::event_wait;
      sqe.body.event = {cell, number, next_order()};
    });
    return {};
  }
  const uint64_t limit_ns = uint64_t{limit_s} * 1'000'000'000;
  // A task that is kept makes a wait for each run.
  auto* wait = stream.stored() ? nullptr : new TimedEventWait(cell, number, limit_ns);
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::timed_event_wait;
    sqe.body.timed_event = {wait, limit_ns, cell, number, next_order()};
  });
  return {};
}

Result<> Event::reset_level(Stream& stream) {
  CANOPY_ASSIGN(EventCell * cell, take_level(stream, EventCell::kHolder));
  stream.post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::event_clear;
    sqe.body.event = {cell, id_.load(std::memory_order_relaxed), next_order()};
  });
  return {};
}

}  // namespace canopy
