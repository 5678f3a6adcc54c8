// TimedEventWait: a stream's wait for an event's record that gives up after a while.
//
// Made by the host with the task. Once on the cell's list it is the cell's: a wait that runs out stays there, marked, until
// the record comes or the watchdog takes it off (DropOrders::ask_for_sweep()). So its share in the cell outlives the wait.
#pragma once

#include "runtime/device/event_bank.h"
#include "runtime/device/strand.h"
#include "runtime/device/wait_timer.h"

#include <atomic>
#include <cstdint>
#include <utility>

namespace canopy {

struct TimedEventWait : WaitTimer::Node {
  TimedEventWait(EventCell* waits_for, uint32_t event, uint64_t ns)
      : cell(waits_for), event_id(event), limit_ns(ns) {}

  // The stream has reached the wait. True when it may go on at once; after false it belongs to
  // whoever ends the wait. This object is gone after true. REQUIRES: a wait's share in the cell.
  bool begin(Strand* waiter);
  // The record has come: the strand to resume, null when the wait had run out before. Adds the
  // share that the wait still has. This object is gone afterwards.
  Strand* end(uint64_t* shares_over);
  // For who has taken it off the list. Relaxed: end() waits for who has set it.
  bool has_run_out() const { return (phase_.load(std::memory_order_relaxed) & kRanOut) != 0; }

  EventCell* const cell;
  const uint32_t event_id;
  const uint64_t limit_ns;
  Strand* next_waiter = nullptr;  // link in the cell, as a strand's

 private:
  // Of phase_. The later one of begin() and end() deletes this object; the later one of begin() and run_out() has the list
  // swept.
  static constexpr uint32_t kBegun = 1;   // begin() has put it on the list
  static constexpr uint32_t kRanOut = 2;  // set by the timer's thread
  static constexpr uint32_t kEnded = 4;

  WaitTimer* timer_ = nullptr;
  std::atomic<uint32_t> phase_{0};

  static void run_out(Node* node);
};

inline bool EventCell::add_waiter(Strand* strand) {
  static_assert(alignof(Strand) >= 8 && alignof(TimedEventWait) >= 8);
  const uintptr_t home = strand->home();
  return add_to_list(reinterpret_cast<uintptr_t>(strand) | home << kHomeShift, &strand->next_waiter);
}

inline Woken EventCell::next_woken(uintptr_t* waiters, uint64_t* shares_over) {
  if (is_one_strand(*waiters)) {
    *shares_over += kWait;
    return one_strand(std::exchange(*waiters, 0));
  }
  while (*waiters != 0) {
    const uintptr_t waiter = *waiters;
    if ((waiter & kTimed) == 0) [[likely]] {
      *shares_over += kWait;
      Strand* strand = strand_of(waiter);
      *waiters = reinterpret_cast<uintptr_t>(strand->next_waiter);
      return {strand, strand->home()};
    }
    TimedEventWait* timed = timed_of(waiter);
    *waiters = reinterpret_cast<uintptr_t>(timed->next_waiter);
    if (Strand* strand = timed->end(shares_over)) {
      return {strand, strand->home()};
    }
  }
  return {};
}

}  // namespace canopy
