// DropOrders: the strands of this process whose tasks are to end without having run.
//
// A strand says itself how far (Strand::drop_below()). Its owner sees that between two tasks, and
// blocks of its kernel see it when they wait or yield. What neither sees is a wait that has handed
// the strand to an event's or notify's cell: the watchdog takes it off there (chase()), as it does with
// waits that have run out.
//
// Looking costs tasks nothing while there is no order: Scheduler::attention() is read with every
// task anyway. The order in which nobody is missed: who orders stores the strand's mark, raises
// attention, then looks at the cell the strand waits in; who parks a strand in a cell looks at
// attention afterwards, and asks for another chase when it is up. Both change the same word of the
// cell, so one of them sees the other.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace canopy {

class NotifyCell;
class Scheduler;
class Strand;
struct EventCell;
struct Launch;
struct Sqe;
struct TimedEventWait;

class DropOrders {
 public:
  explicit DropOrders(Scheduler& scheduler) : scheduler_(scheduler) {}

  // From here on the strand's mark is looked at. Of a strand that is here already it asks for a
  // chase.
  void add(Strand* strand);
  // REQUIRES of strands that go away: called before. Nothing when it is not here.
  void remove(Strand* strand);

  // Somebody parked a strand while orders are out.
  void ask_for_chase();
  // A wait of this cell's list has run out.
  void ask_for_sweep(EventCell* cell);
  bool chase_wanted() const { return wanted_.load(std::memory_order_acquire); }
  // Whether a kernel may be running that is to end: the watchdog interrupts its blocks until it has.
  bool hold_kernels() {
    std::vector<const Launch*> kernels;
    add_kernels_to(&kernels);
    return !kernels.empty();
  }
  // Their launches. To be compared only: they may end at any time.
  void add_kernels_to(std::vector<const Launch*>* launches);
  // Takes the strands off the waits that they are to leave. The watchdog's.
  void chase();

 private:
  // What is to be dealt with when no lock is held.
  struct Rest {
    std::vector<TimedEventWait*> ended;  // waits with a limit
    std::vector<std::pair<NotifyCell*, Strand*>> leaving;  // NotifyCell::leave_waiter()
  };
  void sweep();
  void take_off_wait(Strand& strand, Rest* rest);

  Scheduler& scheduler_;
  std::atomic<bool> wanted_{false};
  std::mutex mutex_;  // guards strands_, which live while they are on it
  std::vector<Strand*> strands_;
  std::mutex sweeps_mutex_;  // guards sweeps_
  std::vector<EventCell*> sweeps_;
};

// Gives back what the task holds, instead of running it. Waits for a record that is dropped do not
// end.
void drop_task(Strand& strand, const Sqe& sqe);

}  // namespace canopy
