#include "runtime/device/notify_cell.h"

#include "runtime/base/clock.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/executor.h"
#include "runtime/device/peer_news.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/strand.h"
#include "runtime/device/task_text.h"

#include <mutex>
#include <utility>

#include <fmt/format.h>

namespace canopy {
namespace {

uint32_t changed(uint32_t word, NotifyChange change, uint32_t value) {
  switch (change) {
    case NotifyChange::set:
      return value;
    case NotifyChange::add:
      return word + value;
    case NotifyChange::bit_or:
      return word | value;
    case NotifyChange::bit_and:
      return word & value;
  }
  return word;
}

bool holds(uint32_t word, NotifyTest test, uint32_t value) {
  switch (test) {
    case NotifyTest::below:
      return word < value;
    case NotifyTest::equal:
      return word == value;
    case NotifyTest::above:
      return word > value;
    case NotifyTest::at_least:
      return word >= value;
    case NotifyTest::has_bits:
      return (word & value) == value;
  }
  return false;
}

}  // namespace

// Cells between two notifies. Leaked: see NotifyCell::make().
class SpareNotifyCells {
 public:
  void give(NotifyCell* cell) {
    std::lock_guard lock(lock_);
    cell->next_spare_ = first_;
    first_ = cell;
  }
  NotifyCell* take() {
    {
      std::lock_guard lock(lock_);
      if (first_ != nullptr) {
        return std::exchange(first_, first_->next_spare_);
      }
    }
    return new NotifyCell;
  }

 private:
  SpinLock lock_;  // guards first_ and the links
  NotifyCell* first_ = nullptr;
};

namespace {

SpareNotifyCells& spare_cells() {
  static auto* instance = new SpareNotifyCells;
  return *instance;
}

}  // namespace

void NotifyCell::drop_references(uint32_t count) {
  // acq_rel: the last one sees what all others did with the cell.
  if (references_.fetch_sub(count, std::memory_order_acq_rel) == count) {
    if (link() != nullptr) {
      end_link();
    }
    spare_cells().give(this);
  }
}

// Before the word's page is another's. Nobody has a share, so nobody looks.
void NotifyCell::end_link() {
  {
    std::lock_guard lock(lock_);
    withdraw();
  }
  delete link_.exchange(nullptr, std::memory_order_acq_rel);
}

bool NotifyCell::try_hold() {
  uint32_t seen = references_.load(std::memory_order_relaxed);
  while (seen != 0) {
    // Relaxed: who holds finds the cell by its link, under a lock that the link takes before it ends.
    if (references_.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

NotifyCell* NotifyCell::make() {
  NotifyCell* cell = spare_cells().take();
  std::lock_guard lock(cell->lock_);
  cell->word_ = 0;
  cell->recorded_here_.store(false, std::memory_order_relaxed);
  cell->orphaned_ = false;
  cell->absent_ = false;
  // Relaxed: others get the cell from the caller.
  cell->references_.store(1, std::memory_order_relaxed);
  return cell;
}

bool NotifyCell::remove_waiter(Strand* strand) {
  {
    std::lock_guard lock(lock_);
    // On the list it stays at the head of its stream, so the mark is one of this wait.
    if (!unlink(strand, true)) {
      return false;
    }
  }
  if (strand->front()->body.notify_wait.limit_ns != 0) {
    strand->scheduler().wait_timer().cancel(&strand->limit);
  }
  drop_reference();
  return true;
}

bool NotifyCell::satisfied(const Sqe& sqe) {
  const Sqe::Body::NotifyWait& wait = sqe.body.notify_wait;
  if (link() != nullptr) [[unlikely]] {
    return satisfied_in_shared(sqe);
  }
  if (!holds(word_, wait.test, wait.value)) {
    return false;
  }
  if (wait.clear) {
    word_ = 0;
  }
  return true;
}

bool NotifyCell::satisfied_in_shared(const Sqe& sqe) {
  const Sqe::Body::NotifyWait& wait = sqe.body.notify_wait;
  // seq_cst, acquire part: what the recording stream did before is visible.
  records_ = std::atomic_ref(link()->shared->records).load(std::memory_order_seq_cst);
  if (!holds(shared_flag(), wait.test, wait.value)) {
    return false;
  }
  if (wait.clear) {
    taken_ = records_;
  }
  return true;
}

void NotifyCell::announce() {
  if (link() == nullptr || announced_) {
    return;
  }
  announced_ = true;
  looks_for_nothing_ = 0;
  polled_at_ = link()->news->poll_word(&link()->shared->records, records_, link()->bit);
  // seq_cst: before the next look at the word; see SharedNotify.
  std::atomic_ref(link()->shared->waiting).store(1, std::memory_order_seq_cst);
}

void NotifyCell::withdraw() {
  if (!std::exchange(announced_, false)) {
    return;
  }
  if (const int where = std::exchange(polled_at_, -1); where >= 0) {
    link()->news->forget_word(where);
  }
  std::atomic_ref(link()->shared->waiting).store(0, std::memory_order_relaxed);
}

inline void NotifyCell::note_seen() {
  if (polled_at_ >= 0) {
    link()->news->set_seen(polled_at_, records_);
  }
}

void NotifyCell::count_waits() {
  if (link() != nullptr && counted_ != (first_ != nullptr)) {
    counted_ = !counted_;
    link()->news->add_waits(counted_ ? 1 : -1);
  }
}

// For a wait that is to be parked otherwise.
bool NotifyCell::satisfied_or_announced(const Sqe& sqe) {
  if (satisfied(sqe)) {
    return true;
  }
  if (link() == nullptr || announced_) [[likely]] {
    return false;
  }
  announce();
  return satisfied(sqe);
}

Strand* NotifyCell::take_satisfied() {
  Strand* over = nullptr;
  Strand** end_of_over = &over;
  bool again = true;
  while (again) {  // a wait that clears the word may satisfy one before it
    again = false;
    Strand* list = std::exchange(first_, nullptr);
    last_ = nullptr;
    while (list != nullptr) {
      Strand* strand = std::exchange(list, list->next_waiter);
      const Sqe& sqe = *strand->front();
      if (satisfied(sqe)) {
        strand->next_waiter = nullptr;
        *end_of_over = strand;
        end_of_over = &strand->next_waiter;
        again = again || sqe.body.notify_wait.clear;
      } else {
        append(strand);
      }
    }
  }
  count_waits();
  return over;
}

Strand* NotifyCell::take_all() {
  Strand* all = std::exchange(first_, nullptr);
  last_ = nullptr;
  count_waits();
  return all;
}

uint32_t NotifyCell::end_limits(Strand* over) {
  uint32_t waits = 0;
  for (Strand* strand = over; strand != nullptr; strand = strand->next_waiter) {
    ++waits;
    if (strand->front()->body.notify_wait.limit_ns != 0) {
      strand->scheduler().wait_timer().cancel(&strand->limit);
    }
  }
  return waits;
}

Strand* NotifyCell::let_go(Strand* over) {
  if (const uint32_t waits = end_limits(over); waits != 0) {
    // Relaxed: never the last ones, the caller has its own.
    references_.fetch_sub(waits, std::memory_order_relaxed);
  }
  return over;
}

// seq_cst, release part: publishes what the stream did before. Before the look at `waiting`; see SharedNotify.
void NotifyCell::record_shared() { std::atomic_ref(link()->shared->records).fetch_add(1, std::memory_order_seq_cst); }

Strand* NotifyCell::record(NotifyChange change, uint32_t value) {
  if (const NotifyLink* to = link(); to != nullptr && to->creator != nullptr) [[unlikely]] {
    prefetch_for_write(to->creator);  // on its way while the word is
    record_shared();
    if (std::atomic_ref(to->shared->waiting).load(std::memory_order_seq_cst) != 0) {
      to->creator->ring(to->bit);
    }
    return nullptr;
  }
  Strand* over;
  {
    std::lock_guard lock(lock_);
    if (link() != nullptr) [[unlikely]] {
      record_shared();
    } else {
      word_ = changed(word_, change, value);
    }
    if (first_ == nullptr) [[likely]] {
      return nullptr;
    }
    over = take_satisfied();
  }
  return let_go(over);
}

void NotifyCell::share(std::unique_ptr<NotifyLink> link) {
  std::lock_guard lock(lock_);
  // Nobody else has the page yet.
  if (link->creator == nullptr) {
    records_ = word_;
    taken_ = 0;
    store_relaxed(&link->shared->records, records_);
  }
  link_.store(link.release(), std::memory_order_release);
  if (first_ != nullptr) {
    announce();
    count_waits();
  }
}

void NotifyCell::look() {
  Strand* over = nullptr;
  {
    std::lock_guard lock(lock_);
    if (first_ != nullptr) {
      looks_for_nothing_ = 0;
      over = take_satisfied();
    } else if (announced_ && ++looks_for_nothing_ == kLooksForNothing) {
      withdraw();
    } else {
      records_ = load_relaxed(&link()->shared->records);  // for the poll
    }
    note_seen();
  }
  drop_references(end_limits(over) + 1);
  resume(over, Executor::current());
}

void NotifyCell::resume(Strand* over, Executor* found_by) {
  while (over != nullptr) {
    Strand* strand = std::exchange(over, over->next_waiter);
    if (found_by != nullptr) {
      found_by->resume_found({strand, strand->home()});
    } else {
      strand->scheduler().submit(strand, true);
    }
  }
}

bool NotifyCell::orphaned() const {
  return orphaned_ && load_relaxed(&link()->shared->imports) == imports_then_ &&
         !(orphaned_unless_recorded_ && recorded_here_.load(std::memory_order_relaxed));
}

void NotifyCell::lose_peer(const std::string& sentence, bool last) { fail_waits(sentence, last, false); }

void NotifyCell::lose_all_peers(const std::string& sentence) { fail_waits(sentence, true, true); }

void NotifyCell::expect_peers(bool absent) {
  std::lock_guard lock(lock_);
  orphaned_ = false;
  absent_ = absent;
  imports_then_ = load_relaxed(&link()->shared->imports);
}

bool NotifyCell::is_parked(const Strand* strand) const {
  const Strand* each = first_;
  while (each != nullptr && each != strand) {
    each = each->next_waiter;
  }
  return each != nullptr;
}

bool NotifyCell::leave_waiter(Strand* strand) {
  Strand* over = nullptr;
  bool absent = false;
  bool fails = false;
  {
    std::lock_guard lock(lock_);
    // Whoever lies here lives, and has a share, so that the cell stays what it is.
    if (!is_parked(strand) || !strand->leaves_lost_waits() || link() == nullptr || recorded_here_.load(std::memory_order_relaxed)) {
      return false;
    }
    acquire_reference();
    absent = absent_ && load_relaxed(&link()->shared->imports) == imports_then_;
    if (absent || link()->news->has_loss()) {
      over = take_satisfied();  // what they recorded last still counts
      fails = unlink(strand);
    }
  }
  resume(let_go(over), nullptr);
  if (fails) {
    const auto& wait = strand->front()->body.notify_wait;
    if (wait.limit_ns != 0) {
      strand->scheduler().wait_timer().cancel(&strand->limit);
    }
    strand->record_error(kPeerLost, absent ? fmt::format("no process that could record {} {} has it imported, and the stream that waits for it ends",
                                                         wait.what, wait.id)
                                           : fmt::format("{} {} is not recorded, other processes were lost before, and the stream that waits for it ends",
                                                         wait.what, wait.id));
    drop_reference();
  }
  if (!absent && over == nullptr) {
    link()->on_last_wait();
  }
  drop_reference();
  return fails;
}

void NotifyCell::fail_waits(const std::string& sentence, bool last, bool unless_recorded_here) {
  Strand* over;
  Strand* failed = nullptr;
  {
    std::lock_guard lock(lock_);
    over = take_satisfied();  // what the peer recorded last still counts
    if (!unless_recorded_here || !recorded_here_.load(std::memory_order_relaxed)) {
      failed = take_all();
      orphaned_ = last;
      orphaned_unless_recorded_ = unless_recorded_here;
      absent_ = false;
      imports_then_ = load_relaxed(&link()->shared->imports);
    }
  }
  resume(let_go(over), nullptr);
  failed = let_go(failed);
  for (Strand* strand = failed; strand != nullptr; strand = strand->next_waiter) {
    strand->record_error(kPeerLost, sentence);
  }
  if (failed != nullptr) {
    failed->scheduler().note_peer_loss();
  }
  resume(failed, nullptr);
}

uint32_t NotifyCell::word() {
  std::lock_guard lock(lock_);
  if (link() == nullptr) {
    return word_;
  }
  records_ = load_relaxed(&link()->shared->records);
  return shared_flag();
}

bool NotifyCell::wait(Strand* strand, Strand** over) {
  const Sqe& sqe = *strand->front();
  const uint64_t limit_ns = sqe.body.notify_wait.limit_ns;
  WaitTimer& timer = strand->scheduler().wait_timer();
  bool parked = false;
  bool first_to_end = false;
  bool nobody_left = false;
  {
    std::lock_guard lock(lock_);
    if (satisfied_or_announced(sqe)) {
      *over = sqe.body.notify_wait.clear && first_ != nullptr ? take_satisfied() : nullptr;
      note_seen();
    } else if (orphaned()) [[unlikely]] {
      nobody_left = true;
    } else {
      parked = true;
      append(strand);
      count_waits();
      if (limit_ns != 0) {
        // Under the lock: nobody can end the wait, and cancel its limit, before it is armed.
        strand->limit.at_ns = monotonic_ns() + limit_ns;
        strand->limit.expire = &NotifyCell::run_out;
        strand->limit.strand = strand;
        first_to_end = timer.arm(&strand->limit);
      }
    }
  }
  if (parked) {
    if (first_to_end) {
      timer.wake();
    }
    return false;
  }
  if (nobody_left) [[unlikely]] {  // told behind the lock, which is a leaf
    strand->record_error(kPeerLost, fmt::format("{} {} is not {} {}, and the last process that could record it is gone",
                                                sqe.body.notify_wait.what, sqe.body.notify_wait.id,
                                                describe(sqe.body.notify_wait.test), sqe.body.notify_wait.value));
    strand->scheduler().note_peer_loss();
  }
  *over = let_go(*over);
  drop_reference();
  return true;
}

void NotifyCell::clear() {
  std::lock_guard lock(lock_);
  word_ = 0;
  if (link() != nullptr) {
    taken_ = records_ = load_acquire(&link()->shared->records);
    note_seen();
  }
}

// On the timer's thread. A record that has taken the strand meanwhile waits for the end of this in
// cancel(), so the strand, its head and the cell are there in any case.
void NotifyCell::run_out(WaitTimer::Node* node) {
  Strand* strand = node->strand;
  const Sqe::Body::NotifyWait wait = strand->front()->body.notify_wait;
  uint32_t seen;
  {
    std::lock_guard lock(wait.cell->lock_);
    if (!wait.cell->unlink(strand)) {
      return;
    }
    seen = wait.cell->link() == nullptr ? wait.cell->word_ : wait.cell->shared_flag();
  }
  strand->record_error(
      kWaitTimeout,
      fmt::format("the wait for {} {} ran past its limit of {}: {} {} wanted, {} seen", wait.what,
                  wait.id, describe_span(wait.limit_ns), describe(wait.test), wait.value, seen));
  wait.cell->drop_reference();
  strand->scheduler().submit(strand, true);
}

void NotifyCell::append(Strand* strand) {
  strand->next_waiter = nullptr;
  (last_ == nullptr ? first_ : last_->next_waiter) = strand;
  last_ = strand;
}

bool NotifyCell::unlink(Strand* strand, bool marked_only) {
  Strand* before = nullptr;
  for (Strand* each = first_; each != nullptr; before = each, each = each->next_waiter) {
    if (each == strand) {
      if (marked_only && !strand->drops_head()) {
        return false;
      }
      (before == nullptr ? first_ : before->next_waiter) = strand->next_waiter;
      if (last_ == strand) {
        last_ = before;
      }
      count_waits();
      return true;
    }
  }
  return false;
}

}  // namespace canopy
