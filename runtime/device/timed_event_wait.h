// TimedEventWait: a stream's wait for an event's record that gives up after a while.
//
// Made by the host with the task. Once on the cell's list it is the cell's, which cannot take it
// out before the record comes: a wait that has run out stays there, marked. So its share in the
// cell outlives the wait.
#pragma once

#include "runtime/device/event_bank.h"
#include "runtime/device/strand.h"
#include "runtime/device/wait_timer.h"

#include <cstdint>

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

  EventCell* const cell;
  const uint32_t event_id;
  const uint64_t limit_ns;
  Strand* next_waiter = nullptr;  // link in the cell, as a strand's

 private:
  WaitTimer* timer_ = nullptr;
  bool ran_out_ = false;  // written by the timer's thread, read after cancel()

  static void run_out(Node* node);
};

inline Strand* EventCell::next_woken(Strand** waiters, uint64_t* shares_over) {
  while (*waiters != nullptr) {
    const auto word = reinterpret_cast<uintptr_t>(*waiters);
    if ((word & kTimed) == 0) [[likely]] {
      Strand* strand = *waiters;
      *waiters = strand->next_waiter;
      *shares_over += kWait;
      return strand;
    }
    auto* timed = reinterpret_cast<TimedEventWait*>(word & ~kTimed);
    *waiters = timed->next_waiter;
    if (Strand* strand = timed->end(shares_over)) {
      return strand;
    }
  }
  return nullptr;
}

}  // namespace canopy
