// NotifyCell: a 32-bit word that streams change and wait for: a notify, which is set and cleared by
// the wait that it lets through, or a counting notify.
//
// A level, not an edge: what was recorded before a wait is still there for it. Waiting strands are
// served in the order of their waits, each by the word as the one before left it. Thread-safe.
#pragma once

#include "runtime/base/spin_lock.h"
#include "runtime/device/abi/sqe.h"
#include "runtime/device/wait_timer.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace canopy {

class Strand;

class NotifyCell {
 public:
  // A cell whose word is 0, with one share, the caller's. Others: every queued task. The last one gives the cell
  // back; it is never freed, so that its memory stays a cell's (see DropOrders).
  static NotifyCell* make();
  void acquire_reference() { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() { drop_references(1); }
  void drop_references(uint32_t count);

  // Changes the word; returns the strands whose waits are over with it, linked by next_waiter.
  // REQUIRES: the caller holds a share.
  Strand* record(NotifyChange change, uint32_t value);
  // The wait at the head of `strand`: true when it is satisfied, with the strands in *over that the
  // word it cleared lets go; after false another executor may be running the strand already. The
  // wait's share goes with its end.
  bool wait(Strand* strand, Strand** over);
  // Sets the word to 0; lets nobody go.
  void clear();
  // The word as it is now, for reports.
  uint32_t word();
  // Where it lies in the cell, for debuggers.
  static constexpr uint32_t word_offset();
  // Takes `strand`, which is to leave its wait (Strand::drops_head()), off the list, and drops the wait's share.
  // False: it is not on it. The cell may be anybody's by now.
  bool remove_waiter(Strand* strand);

 private:
  friend class SpareNotifyCells;
  NotifyCell() = default;
  ~NotifyCell() = default;
  static void run_out(WaitTimer::Node* node);
  // Ends the limits and shares of waits that are off the list: a limit that runs out just now finds
  // them gone.
  Strand* let_go(Strand* over);
  // These REQUIRE lock_ held.
  bool satisfied(const Sqe& sqe);  // and clears, if the wait asks for it
  Strand* take_satisfied();
  void append(Strand* strand);
  bool unlink(Strand* strand, bool marked_only = false);

  std::atomic<uint32_t> references_{1};
  SpinLock lock_;  // guards all below, and the heads of the strands on the list
  uint32_t word_ = 0;
  Strand* first_ = nullptr;
  Strand* last_ = nullptr;
  NotifyCell* next_spare_ = nullptr;  // guarded by the spare cells' lock
};

constexpr uint32_t NotifyCell::word_offset() { return offsetof(NotifyCell, word_); }

}  // namespace canopy
