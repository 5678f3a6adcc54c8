// NotifyCell: a 32-bit word that streams change and wait for: a notify, which is set and cleared by
// the wait that it lets through, or a counting notify.
//
// A level, not an edge: what was recorded before a wait is still there for it. Waiting strands are
// served in the order of their waits, each by the word as the one before left it. Thread-safe.
//
// The word of a cell with a link lies in memory of several processes (SharedNotify). Its creator's cell takes a change by a peer up when
// it is told to look(); the others' cells only record.
#pragma once

#include "runtime/base/peer_bell.h"
#include "runtime/base/spin_lock.h"
#include "runtime/device/abi/shared_notify.h"
#include "runtime/device/abi/sqe.h"
#include "runtime/device/wait_timer.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace canopy {

class Executor;
class PeerNews;
class Strand;

// What ties a notify to other processes: goes with the cell's last share.
class NotifyLink {
 public:
  virtual ~NotifyLink() = default;
  // Of the creator: a stream that is on its way out waits for the notify, which somebody has imported.
  virtual void on_last_wait() {}
  SharedNotify* shared = nullptr;
  // Of who imported the notify: the creator's bell and the bit to raise there. Null at the creator's.
  PeerBell* creator = nullptr;
  uint64_t bit = 0;
  // Of the creator: where its waits are counted.
  PeerNews* news = nullptr;
};

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
  // Asks the cache for what a record of an imported notify is about to write.
  void prefetch_record() const {
    if (const NotifyLink* to = link(); to != nullptr && to->creator != nullptr) {
      prefetch_for_write(&to->shared->records);
    }
  }
  // The wait at the head of `strand`: true when it is satisfied, with the strands in *over that the
  // word it cleared lets go; after false another executor may be running the strand already. The
  // wait's share goes with its end.
  bool wait(Strand* strand, Strand** over);
  // Sets the word to 0; lets nobody go.
  void clear();
  // As acquire_reference(), unless the last share has gone: for who finds the cell by its link.
  bool try_hold();
  // From now on the word lies in link->shared, with the value it has.
  // REQUIRES: the cell has no link, and the caller a share; only flags: changes are sets to 1, tests for 1.
  void share(std::unique_ptr<NotifyLink> link);
  // Null: known to this process only.
  NotifyLink* link() const { return link_.load(std::memory_order_acquire); }
  // Lets those go whom a peer's change has satisfied. The caller's share goes with it. REQUIRES: on an executor, its loop.
  void look();
  // A process that had imported the notify is gone: waits that are not over fail, and, if `last`, so do later ones
  // that are not satisfied at once, until somebody imports it again. REQUIRES: as above.
  void lose_peer(const std::string& sentence, bool last);
  // All processes that might import the notify have ended, in whatever way, or taken leave: as the loss of the last one, unless
  // this process records it, too. REQUIRES: as above.
  void lose_all_peers(const std::string& sentence);
  // A task that records is about to be queued here.
  void note_recorder() {
    if (!recorded_here_.load(std::memory_order_relaxed)) {
      recorded_here_.store(true, std::memory_order_relaxed);  // whoever asks, asks later or does not care
    }
  }
  // There are such processes (again). `absent`: none has it imported, or is listed and yet to do so. Then waits of streams that are on their way
  // out (Strand::leaves_lost_waits()) are over, unless this process records it: see DropOrders.
  void expect_peers(bool absent);

  // The word as it is now, for reports.
  uint32_t word();
  // Where it lies in the cell, for debuggers.
  static constexpr uint32_t word_offset();
  // Takes `strand`, which is to leave its wait (Strand::drops_head()), off the list, and drops the wait's share.
  // False: it is not on it. The cell may be anybody's by now.
  bool remove_waiter(Strand* strand);
  // For the wait of a strand that leaves lost waits, if it is on the list: true when it has failed because all who imported the
  // notify are absent (expect_peers()), or PeerNews::has_loss(), and is the caller's; else they hear of it. It need not live any
  // more. REQUIRES: no lock is held.
  bool leave_waiter(Strand* strand);

 private:
  friend class SpareNotifyCells;
  NotifyCell() = default;
  ~NotifyCell() = default;
  static void run_out(WaitTimer::Node* node);
  void end_link();
  // Ends the limits and shares of waits that are off the list: a limit that runs out just now finds
  // them gone.
  Strand* let_go(Strand* over);
  // Only the limits. How many waits it were.
  static uint32_t end_limits(Strand* over);
  // These REQUIRE lock_ held.
  bool satisfied(const Sqe& sqe);  // and clears, if the wait asks for it
  bool satisfied_in_shared(const Sqe& sqe);
  bool satisfied_or_announced(const Sqe& sqe);
  bool orphaned() const;
  // Has peers tell of changes, and the word polled. That stays when the wait is over, because the next one often follows at
  // once; peers that tell for nothing end it.
  void announce();
  void withdraw();
  void count_waits();  // whenever first_ may have become null, or not null
  void note_seen();
  // With a link, which only flags have: set to 1, waited for by comparison with 1.
  void record_shared();
  void fail_waits(const std::string& sentence, bool last, bool unless_recorded_here);
  uint32_t shared_flag() const { return records_ != taken_ ? 1 : 0; }
  Strand* take_all();
  static void resume(Strand* over, Executor* found_by);
  Strand* take_satisfied();
  void append(Strand* strand);
  bool is_parked(const Strand* strand) const;
  bool unlink(Strand* strand, bool marked_only = false);

  std::atomic<uint32_t> references_{1};
  std::atomic<bool> recorded_here_{false};  // by this process, or a task is to
  SpinLock lock_;  // guards all below, and the heads of the strands on the list
  uint32_t word_ = 0;     // without a link
  uint64_t records_ = 0;  // with one: how many were seen last,
  uint64_t taken_ = 0;    // and how many waits and resets have taken
  static constexpr uint32_t kLooksForNothing = 8;
  bool announced_ = false;     // link_->shared->waiting is up
  bool counted_ = false;       // among PeerNews's waits
  uint32_t looks_for_nothing_ = 0;  // by peers' news while nobody waited, since somebody did
  int polled_at_ = -1;         // where PeerNews polls the word; -1: it does not
  bool orphaned_ = false;      // the last importer is gone
  bool orphaned_unless_recorded_ = false;  // with it: all have ended in good order, as far as is known
  bool absent_ = false;        // nobody has imported it, nor is listed and yet to do so
  uint32_t imports_then_ = 0;  // what `imports` was at either
  std::atomic<NotifyLink*> link_{nullptr};  // owned; set once, under the lock, released; gone with the last share
  Strand* first_ = nullptr;
  Strand* last_ = nullptr;
  NotifyCell* next_spare_ = nullptr;  // guarded by the spare cells' lock
};

constexpr uint32_t NotifyCell::word_offset() { return offsetof(NotifyCell, word_); }

}  // namespace canopy
