#include "runtime/device/event_bank.h"

#include "runtime/device/abi/fault_code.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/strand.h"
#include "runtime/device/timed_event_wait.h"

#include <mutex>
#include <utility>

#include <fmt/format.h>

namespace canopy {
namespace {

// Banks between two devices. Leaked: cells may come back while static destructors run.
class SpareBanks {
 public:
  void give(EventBank* bank) {
    std::lock_guard lock(mutex_);
    banks_.push_back(bank);
  }
  EventBank* take(uint32_t limit) {
    std::lock_guard lock(mutex_);
    for (EventBank*& bank : banks_) {
      if (bank->limit() == limit) {
        std::swap(bank, banks_.back());
        EventBank* found = banks_.back();
        banks_.pop_back();
        return found;
      }
    }
    return nullptr;
  }

 private:
  std::mutex mutex_;  // guards banks_
  std::vector<EventBank*> banks_;
};

SpareBanks& spare_banks() {
  static auto* instance = new SpareBanks;
  return *instance;
}

}  // namespace

bool EventCell::add_waiter(TimedEventWait* wait) {
  return add_to_list(reinterpret_cast<uintptr_t>(wait) | kTimed, &wait->next_waiter);
}

void EventCell::release_waiters() {
  uintptr_t waiters = finish(false);
  uint64_t over = 0;
  while (Strand* strand = next_woken(&waiters, &over).strand) {
    strand->scheduler().submit(strand, true);
  }
  if (over != 0) {
    drop_shares(over);
  }
}

void EventCell::fail_waiters(const std::string& sentence) {
  // acq_rel: as in finish().
  uintptr_t waiters = state.exchange(kFailed, std::memory_order_acq_rel);
  bell.ring(BellScope::process);
  if ((waiters & kComplete) != 0) {
    return;
  }
  uint64_t over = 0;
  while (Strand* strand = next_woken(&waiters, &over).strand) {
    strand->record_error(kPeerLost, sentence);
    strand->scheduler().submit(strand, true);
  }
  if (over != 0) {
    drop_shares(over);
  }
}

void EventCell::record_failure(Strand& strand, uint32_t event) {
  strand.record_error(kPeerLost, fmt::format("the process that was to make the record of event {} is gone", event));
}

void EventCell::lose_record() {
  // Release: pairs with who synchronises with the event.
  lost.store(true, std::memory_order_release);
  bell.ring(BellScope::process);
  drop_shares(kRecord);
}

bool EventCell::remove_waiter(Strand* strand) { return remove(strand, false) != 0; }

TimedEventWait* EventCell::remove_timed_waiter(Strand* strand) {
  return timed_of(remove(strand, true));
}

// Who takes waits off puts all others back: a record that comes meanwhile finds the list empty. 0: it is. Else with a
// holder's share.
uintptr_t EventCell::take_list() {
  // A change even when there is nothing to take: see add_to_list().
  uintptr_t list = state.fetch_or(0, std::memory_order_acq_rel);
  do {
    if (list == 0 || (list & kComplete) != 0) {
      return 0;
    }
  } while (!state.compare_exchange_weak(list, 0, std::memory_order_acq_rel, std::memory_order_acquire));
  add_shares(kHolder);  // the waits on the list have theirs, and nobody else can end them now
  return list;
}

uintptr_t EventCell::take_first(uintptr_t* list) {
  const uintptr_t waiter = *list;
  *list = reinterpret_cast<uintptr_t>((waiter & kTimed) != 0 ? timed_of(waiter)->next_waiter : strand_of(waiter)->next_waiter);
  return waiter;
}

void EventCell::remove_run_out() {
  uintptr_t list = take_list();
  if (list == 0) {
    return;
  }
  uint64_t over = kHolder;
  while (list != 0) {
    const uintptr_t waiter = take_first(&list);
    if ((waiter & kTimed) != 0 && timed_of(waiter)->has_run_out()) {
      timed_of(waiter)->end(&over);
    } else {
      put_back(waiter);
    }
  }
  drop_shares(over);
}

uintptr_t EventCell::remove(Strand* strand, bool timed) {
  uintptr_t list = take_list();
  if (list == 0) {
    return 0;
  }
  uintptr_t found = 0;
  while (list != 0) {
    const uintptr_t waiter = take_first(&list);
    const Strand* waits = (waiter & kTimed) != 0 ? timed_of(waiter)->strand : strand_of(waiter);
    // What lies on the list stays at its head, so the mark is one of this wait. (One with a limit may have run
    // out, and its strand be gone: then it is another's, and compared only.)
    if (waits == strand && ((waiter & kTimed) != 0) == timed && !(timed && timed_of(waiter)->has_run_out()) &&
        (strand->drops_head() || (strand->leaves_lost_waits() && lost.load(std::memory_order_acquire)))) {
      found = waiter;
    } else {
      put_back(waiter);
    }
  }
  drop_reference();
  return found;
}

void EventCell::put_back(uintptr_t waiter) {
  if ((waiter & kTimed) == 0) {
    Strand* strand = strand_of(waiter);
    if (!add_waiter(strand)) {  // the record came meanwhile, and did not see it
      note_failure(*strand, strand->front()->body.event.id);
      drop_shares(kWait);  // first: who sees the stream get on finds the wait over
      strand->scheduler().submit(strand, true);
    }
    return;
  }
  TimedEventWait* wait = timed_of(waiter);
  if (!add_waiter(wait)) {
    uint64_t over = 0;
    Strand* const strand = wait->end(&over);
    if (strand != nullptr) {
      note_failure(*strand, strand->front()->body.timed_event.id);
    }
    drop_shares(over);  // as above
    if (strand != nullptr) {
      strand->scheduler().submit(strand, true);
    }
  }
}

void EventCell::clear() {
  lost.store(false, std::memory_order_relaxed);
  uintptr_t complete = kComplete;
  // Release: pairs with the acquire of who finds it pending, and comes behind what the stream did.
  state.compare_exchange_strong(complete, 0, std::memory_order_release, std::memory_order_relaxed);
}

Result<EventCell*> EventBank::take(uint64_t shares) {
  std::lock_guard lock(lock_);
  // Relaxed: only changed under the lock.
  if (in_use_.load(std::memory_order_relaxed) >= limit_) [[unlikely]] {
    return fail(Errc::no_event, "all {} event records of the device are pending or held", limit_);
  }
  if (free_ == nullptr) {
    chunks_.push_back(std::make_unique<EventCell[]>(kChunk));
    for (uint32_t i = 0; i < kChunk; ++i) {
      EventCell& cell = chunks_.back()[i];
      cell.bank = this;
      cell.next_free = free_;
      free_ = &cell;
    }
  }
  EventCell* cell = free_;
  free_ = cell->next_free;
  in_use_.store(in_use_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  // Relaxed: the cell reaches other threads through a ring or a lock.
  cell->state.store(0, std::memory_order_relaxed);
  cell->shares.store(shares, std::memory_order_relaxed);
  cell->lost.store(false, std::memory_order_relaxed);
  return cell;
}

void EventBank::give(EventCell* cell) {
  bool last;
  {
    std::lock_guard lock(lock_);
    cell->next_free = free_;
    free_ = cell;
    const uint32_t left = in_use_.load(std::memory_order_relaxed) - 1;
    in_use_.store(left, std::memory_order_relaxed);
    last = retired_ && left == 0;
  }
  if (last) [[unlikely]] {
    spare_banks().give(this);
  }
}

EventBank* EventBank::open(uint32_t limit) {
  EventBank* bank = spare_banks().take(limit);
  if (bank == nullptr) {
    return new EventBank(limit);
  }
  std::lock_guard lock(bank->lock_);
  bank->retired_ = false;
  return bank;
}

void EventBank::retire() {
  bool last;
  {
    std::lock_guard lock(lock_);
    retired_ = true;
    last = in_use_.load(std::memory_order_relaxed) == 0;
  }
  if (last) {
    spare_banks().give(this);
  }
}

}  // namespace canopy
