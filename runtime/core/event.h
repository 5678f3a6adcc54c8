// Event: a handle to the newest record. Both families of the C API are this class; they differ in what
// holds before the first record, and only the old one is reset.
//
// An event is recorded, or not: before its first record, and again after a reset. Of an event that is not
// recorded but will be (after a reset, or made EXTERNAL) a wait may be queued: it binds to an *open* cell, and
// the next record completes that one. A reset takes effect for waits and records when it is called, for
// queries when its stream has reached it.
//
// A stored stream's task runs many times, so it cannot mean one record. An event of the old family that such a
// stream has used is a *level* from then on, as a card's events are: one cell, completed by each record and cleared
// by each reset when its stream gets there (event_level.cc). The new family is not for stored streams.
//
// Thread-safe: lock_ guards the cells; a wait or query works on the cell that was newest when it began.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/spin_lock.h"
#include "runtime/base/waiter.h"
#include "runtime/core/id_pool.h"
#include "runtime/core/stream.h"
#include "runtime/device/event_bank.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace canopy {

class SharedEvent;

class Event {
 public:
  enum class Family : uint8_t { old_style, new_style };
  // `flags` of the C API, 0 for aclrtCreateEvent. `ids` must outlive the event.
  Event(int device, Family family, uint32_t flags, IdPool& ids)
      : device_(device), family_(family), flags_(flags), ids_(ids) {}
  // One that is shared with other processes: of the new family, without numbers and times.
  Event(int device, uint32_t flags, IdPool& ids, std::shared_ptr<SharedEvent> shared)
      : device_(device), family_(Family::new_style), flags_(flags), ids_(ids), shared_(std::move(shared)) {}
  ~Event() { end(); }
  // Waits for a record that nobody made end here. What others still call does no harm.
  void end();

  // Errc::no_event when the device has no record, or no number, left.
  Result<> record(Stream& stream);
  // Makes `stream` wait for the newest record, `limit_s` seconds at most (0: without limit); queues nothing
  // when that is complete or the stream's own. Errc::invalid_argument: an event without ACL_EVENT_SYNC, or
  // of the old family and never recorded.
  Result<> wait(Stream& stream, uint32_t limit_s);
  // In stream order: back to unrecorded. Errc: not_supported (new family), invalid_argument (not made for it).
  Result<> reset(Stream& stream);
  // True when the newest record is complete; of an event that is not recorded: the family's answer.
  // Errc::peer_lost: of one between processes, whose record is not made any more.
  Result<bool> query();
  // Whether all waits queued so far are over. Errc::invalid_argument: new family.
  Result<bool> waits_over();
  Result<> synchronize(Deadline deadline);
  // Nanoseconds on the monotonic clock. Errc: not_recorded, not_ready, no_timestamp.
  Result<uint64_t> timestamp_ns();
  // Taken with the first record, or by the first who asks.
  Result<uint32_t> id();
  int device() const { return device_; }
  Family family() const { return family_; }
  uint32_t flags() const { return flags_; }
  // Null: known to this process only.
  SharedEvent* shared() const { return shared_.get(); }

 private:
  static constexpr uint32_t kNoId = ~0u;
  // Cells whose share goes when the lock has been let go: declared before the lock is taken.
  struct Dropped {
    void add(EventCell* cell);
    ~Dropped();
    EventCell* cells[3];
    uint32_t count = 0;
    EventCell* older = nullptr;  // a list of its own
  };
  bool timed() const;
  bool waitable() const;
  bool resettable() const;
  bool is_level() const { return open() == Open::level; }
  // Whether the call is one of a level: the event is, or becomes one with it.
  bool for_level(const Stream& stream) const { return stream.stored() || is_level(); }
  // A share of the cell for a task of the stream: a kept one's, or one of `kind`. Makes the event a level.
  Result<EventCell*> take_level(Stream& stream, uint64_t kind);
  Result<> record_level(Stream& stream);
  Result<> wait_level(Stream& stream, uint32_t limit_s);
  Result<> reset_level(Stream& stream);
  // What queries look at, null when that is no record. REQUIRES: lock_ held.
  EventCell* visible() const;
  // The same, with a share for the caller.
  EventCell* hold();
  // The open cell, if there is one, for a record: with shares for the record and for the caller.
  EventCell* claim_open();
  // Puts `cell` (null: not recorded) in place of the newest one, with a share of the caller's.
  // REQUIRES: lock_ held.
  void replace_newest(EventCell* cell, Dropped* dropped);
  // REQUIRES: lock_ held.
  void forget_passed_waits(Dropped* dropped);
  // The cell to wait for, with a wait's share; null when there is nothing to wait for. `behind`: where its
  // record is, if that is known.
  Result<EventCell*> cell_to_wait_for(Stream& stream, StreamPoint* behind);
  // The same of newest_, which is not null. REQUIRES: lock_ held.
  EventCell* bind_wait(const Stream& stream, StreamPoint* behind);

  static void post_wait(Stream& stream, EventCell* cell, uint32_t number, uint32_t limit_s);
  Result<> synchronize_with(EventCell* cell, Deadline deadline);
  tl::unexpected<Error> not_between_processes(const char* what) const;

  const int device_;
  const Family family_;
  const uint32_t flags_;
  IdPool& ids_;
  const std::shared_ptr<SharedEvent> shared_;
  std::atomic<uint32_t> id_{kNoId};
  SpinLock lock_;  // guards all below
  EventCell* newest_ = nullptr;
  // An open cell has no record yet; a claimed one is about to get it; a level has one for good.
  enum class Open : uint8_t { no, yes, claimed, level };
  std::atomic<Open> open_{Open::no};  // written under lock_, which orders it: relaxed throughout
  Open open() const { return open_.load(std::memory_order_relaxed); }
  void set_open(Open open) { open_.store(open, std::memory_order_relaxed); }
  bool was_reset_ = false;               // not recorded since
  const Stream* recorded_on_ = nullptr;  // compared only, never followed
  StreamPoint recorded_at_;
  // Of a reset whose stream may not have got to it: its own record, and what the event shows until then.
  EventCell* reset_ = nullptr;
  EventCell* before_reset_ = nullptr;
  // Older records with waits that may not be over, oldest first, linked by next_free. Old family.
  EventCell* older_ = nullptr;
  EventCell* older_last_ = nullptr;
};

}  // namespace canopy
