// EventCell: one record of an event; EventBank: a device's cells.
//
// A cell is pending until the stream reaches the record, then complete for ever; recording an event
// again takes another cell. That makes "a wait binds to the newest record at the time of the call"
// a pointer, and a wait on a re-recorded event can never see the wrong record. A wait for a record that is
// still to be made (of an event that was reset) binds to a cell that this record will complete.
#pragma once

#include "runtime/base/clock.h"
#include "runtime/base/doorbell.h"
#include "runtime/base/result.h"
#include "runtime/base/spin_lock.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace canopy {

class Strand;
class EventBank;
struct TimedEventWait;

// A strand whose wait is over, and the executor that it is to go on at.
struct Woken {
  Strand* strand = nullptr;
  uint32_t home = 0;
};

// Who holds a share: the event (for its newest record), every host thread inside a synchronise, the queued
// record, every queued wait. The last one gives the cell back. Shares of the three kinds are counted in one
// word, so that a host can ask whether all waits are over.
//
//   63            32  31      24  23           0
//   [ waits         ][ records  ][ holders     ]
//
// Only cells that are used again (see clear()) may have several records on their way.
//
// While somebody waits, `state` is the newest waiter:
//
//   63    52  51                           3   2       1        0
//   [ home ]  [ Strand* or TimedEventWait*  ] [ sole ] [ timed ] [ 0 ]
//
// A sole waiter has no next; then `home` is where a strand is to go on, so that whoever completes the cell can hand it
// over without reading any line of it.
struct alignas(kCacheLine) EventCell {
  static constexpr uintptr_t kComplete = 1;  // the bit of every final state
  static constexpr uintptr_t kFailed = 3;
  static constexpr uintptr_t kTimed = 2;
  static constexpr uintptr_t kSole = 4;
  static constexpr int kHomeShift = 52;
  static constexpr uint64_t kHolder = 1;
  static constexpr uint64_t kRecord = 1ull << 24;
  static constexpr uint64_t kWait = 1ull << 32;

  std::atomic<uintptr_t> state{0};  // 0 pending, kComplete, kFailed, else a waiter
  std::atomic<uint64_t> shares{0};
  Doorbell bell;                    // host threads that synchronise
  uint64_t completed_at = 0;        // ticks(); valid once complete
  EventBank* bank = nullptr;
  EventCell* next_free = nullptr;   // in the bank; in use: the event's list of older records
  std::atomic<bool> lost{false};    // the record was dropped: nobody will complete the cell

  bool complete() const { return state.load(std::memory_order_acquire) == kComplete; }
  // Whose record it was is gone: nobody waits, and who comes to wait fails.
  bool failed() const { return state.load(std::memory_order_acquire) == kFailed; }
  // Relaxed: whoever adds a share reaches the cell through one that is there.
  void add_shares(uint64_t kind) { shares.fetch_add(kind, std::memory_order_relaxed); }
  void drop_reference() { drop_shares(kHolder); }
  void drop_shares(uint64_t shares_to_drop);
  // Whether waits are queued, or blocked, that the record has not let go.
  bool has_waits() const { return shares.load(std::memory_order_acquire) >= kWait; }
  // Complete, but the record has not let go of the waits that are over with it.
  bool record_is_ending() const { return (shares.load(std::memory_order_acquire) & (kWait - kRecord)) != 0; }
  // Puts `strand` on the list of waiters, unless the cell is complete already (then false). After true
  // the caller must not touch the strand: another executor may be running it. Inline in timed_event_wait.h, as
  // next_woken().
  bool add_waiter(Strand* strand);
  bool add_waiter(TimedEventWait* wait);
  // A cell that is used again is pending from here on; nothing when it is. Who waits for it stays.
  void clear();
  // Completes the cell, if it is not, with a time stamp if `timed`; returns the waiters, for next_woken().
  uintptr_t finish(bool timed);
  // The next strand of *waiters that is to be resumed, null when none is left. Adds the shares that are
  // to be dropped with it to *shares_over.
  static Woken next_woken(uintptr_t* waiters, uint64_t* shares_over);
  // The same where all that finish() has returned is one strand, whose wait has no limit.
  static bool is_one_strand(uintptr_t waiters) { return (waiters & (kTimed | kSole)) == kSole; }
  static Woken one_strand(uintptr_t waiters) {
    return {strand_of(waiters), static_cast<uint32_t>(waiters >> kHomeShift)};
  }
  // Completes a cell that nobody will record any more, and resumes who waits. Any thread.
  // REQUIRES: no record is queued; the caller holds a share.
  void release_waiters();
  // The same, but their waits fail.
  void fail_waiters(const std::string& sentence);
  // Tells `strand`, which has found the cell final, if it is failed.
  void note_failure(Strand& strand, uint32_t event) const {
    if (failed()) [[unlikely]] {
      record_failure(strand, event);
    }
  }
  // The record is dropped instead of being made. Streams that wait for it stay, until they are made to
  // leave themselves; hosts see `lost`. Takes the record's share.
  void lose_record();
  // Take `strand`, which is to leave its wait (Strand::drops_head(), leaves_lost_waits()), off the list. False, null:
  // it is not on it.
  // The wait's share goes over to the caller. One thread at a time (DropOrders::chase()); the cell may be
  // anybody's by now, its memory stays a cell's.
  bool remove_waiter(Strand* strand);
  TimedEventWait* remove_timed_waiter(Strand* strand);
  // Takes waits that have run out off the list, and ends them. By the same thread; the cell may be anybody's as well.
  void remove_run_out();

 private:
  static constexpr uintptr_t kAddress = (uintptr_t{1} << kHomeShift) - 8;
  static Strand* strand_of(uintptr_t waiter) { return reinterpret_cast<Strand*>(waiter & kAddress); }
  static TimedEventWait* timed_of(uintptr_t waiter) { return reinterpret_cast<TimedEventWait*>(waiter & kAddress); }
  static void record_failure(Strand& strand, uint32_t event);
  bool add_to_list(uintptr_t waiter, Strand** next);
  uintptr_t take_list();
  static uintptr_t take_first(uintptr_t* list);
  uintptr_t remove(Strand* strand, bool timed);
  void put_back(uintptr_t waiter);
};

// A cell may outlive its device: an event keeps its newest record, whichever device made it. A bank that is
// retired serves the next device as soon as its last cell is back; it is never freed, so that a cell's memory
// stays a cell's (see DropOrders).
class EventBank {
 public:
  explicit EventBank(uint32_t limit) : limit_(limit) {}
  // A bank that nobody else uses.
  static EventBank* open(uint32_t limit);
  // Now, or when its last cell comes back, the bank is there for open(). REQUIRES: made by open(); no more take().
  void retire();
  // A pending cell with these shares; Errc::no_event when all `limit` are in use.
  Result<EventCell*> take(uint64_t shares);
  void give(EventCell* cell);
  uint32_t in_use() const { return in_use_.load(std::memory_order_relaxed); }
  uint32_t limit() const { return limit_; }

 private:
  static constexpr uint32_t kChunk = 256;
  const uint32_t limit_;
  std::atomic<uint32_t> in_use_{0};
  SpinLock lock_;  // guards all below
  bool retired_ = false;
  EventCell* free_ = nullptr;
  std::vector<std::unique_ptr<EventCell[]>> chunks_;
};

inline void EventCell::drop_shares(uint64_t shares_to_drop) {
  // acq_rel: the last holder sees everything the others did with the cell.
  if (shares.fetch_sub(shares_to_drop, std::memory_order_acq_rel) == shares_to_drop) [[unlikely]] {
    bank->give(this);
  }
}

inline uintptr_t EventCell::finish(bool timed) {
  if (timed) {
    // Atomic, as a cell that is used again may be asked for its time meanwhile.
    std::atomic_ref(completed_at).store(ticks(), std::memory_order_relaxed);
  }
  // Release publishes the recording stream's effects, acquire takes over the waiting strands.
  const uintptr_t waiters = state.exchange(kComplete, std::memory_order_acq_rel);
  bell.ring(BellScope::process);
  return (waiters & kComplete) != 0 ? 0 : waiters;
}

inline bool EventCell::add_to_list(uintptr_t waiter, Strand** next) {
  // Acquire: a complete cell shows what the recording stream did before; pairs with finish().
  uintptr_t seen = state.load(std::memory_order_acquire);
  do {
    if ((seen & kComplete) != 0) {
      return false;
    }
    *next = reinterpret_cast<Strand*>(seen);
    // Release: the waiter's state is visible to the executor that resumes it. Acquire: pairs with the change in
    // remove(), after which who parks a strand sees that orders are out.
  } while (!state.compare_exchange_weak(seen, seen == 0 ? waiter | kSole : waiter, std::memory_order_acq_rel,
                                        std::memory_order_acquire));
  return true;
}

struct RetireEventBank {
  void operator()(EventBank* bank) const { bank->retire(); }
};

}  // namespace canopy
