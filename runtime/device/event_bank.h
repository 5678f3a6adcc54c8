// EventCell: one record of an event; EventBank: a device's cells.
//
// A cell is pending until the stream reaches the record, then complete for ever; recording an event
// again takes another cell. That makes "a wait binds to the newest record at the time of the call"
// a pointer, and a wait on a re-recorded event can never see the wrong record.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/result.h"
#include "runtime/base/spin_lock.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace canopy {

class Strand;
class EventBank;

// Who holds a reference: the event (for its newest record), every queued record and wait, every host
// thread inside a synchronise. The last one gives the cell back.
struct alignas(kCacheLine) EventCell {
  static constexpr uintptr_t kComplete = 1;

  std::atomic<uintptr_t> state{0};  // 0 pending, kComplete, else the newest waiting Strand*
  std::atomic<uint32_t> references{0};
  Doorbell bell;                    // host threads that synchronise
  uint64_t completed_at = 0;        // ticks(); valid once complete
  EventBank* bank = nullptr;
  EventCell* next_free = nullptr;

  bool complete() const { return state.load(std::memory_order_acquire) == kComplete; }
  void acquire_reference() { references.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() { drop_references(1); }
  void drop_references(uint32_t count);
  // Puts `strand` on the list of waiters, unless the cell is complete already (then false). After true
  // the caller must not touch the strand: another executor may be running it.
  bool add_waiter(Strand* strand);
  // Completes the cell, with a time stamp if `timed`; returns the waiting strands, linked by
  // next_waiter.
  Strand* finish(bool timed);
};

// A cell may outlive its device: an event keeps its newest record, whichever device made it. So a bank
// that is retired goes with its last cell.
class EventBank {
 public:
  explicit EventBank(uint32_t limit) : limit_(limit) {}
  // Deletes the bank now, or when its last cell comes back. REQUIRES: made by new; no more take().
  void retire();
  // A pending cell with `references` references; Errc::no_event when all `limit` are in use.
  Result<EventCell*> take(uint32_t references);
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

struct RetireEventBank {
  void operator()(EventBank* bank) const { bank->retire(); }
};

}  // namespace canopy
