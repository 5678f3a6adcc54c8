// NetworkPacer: the waiting policy (runtime/base/waiter.h) for loops that progress transports
// between two looks. It goes to sleep as late as is good for what a network does without a word to
// the waiter:
//   a large transfer of the waiter's own is under way: nobody moves it on as well as the waiter, so
//   it only yields, for 20 ms;
//   a peer gets from this PE's memory, or a large put of its is coming: the waiter yields for 3 ms,
//   then listens for 20 to 30 us, and goes on serving when it hears something.
// Where ranks outnumber cores it does neither: who sleeps is woken at once when something comes, who
// yields waits for the others' time slices (2026-11, atomics of 3 PEs on 2 cores: 5 s, and 5 to 60 s).
#pragma once

#include "runtime/base/waiter.h"

#include <sched.h>

#include <utility>

namespace canopy::transport {

class NetworkPacer {
 public:
  // Who ends the wait: peers, or what the waiter has posted itself.
  enum class Awaits : uint8_t { peers, own_posts };

  explicit NetworkPacer(Awaits awaits, bool crowded = SpinBudget::crowded())
      : awaits_(awaits),
        crowded_(crowded),
        pacer_(SpinRank::host, crowded ? PollCost::none : PollCost::system_call) {}

  // After a look that did not end the wait; `moved`: it had something to do. True: it is time to
  // sleep. hears() is asked as in Transport::hears().
  template <class Hears>
  bool step(bool moved, Hears&& hears) {
    if (moved) {
      restart();
    }
    if (!pacer_.step()) {
      return false;
    }
    pacer_.drop_permit();
    if (crowded_) {
      return true;
    }
    if (pacer_.waited_ns() < patience_ns()) {
      pacer_.yield();
      return false;
    }
    if (awaits_ == Awaits::own_posts) {
      return true;
    }
    // At length only once in a pause of the traffic: a long wait costs nothing.
    for (int i = std::exchange(listened_, true) ? kListens : 0;;) {
      if (hears()) {
        restart();
        return false;
      }
      if (++i >= kListens) {
        return true;
      }
      ::sched_yield();
    }
  }

  std::chrono::nanoseconds next_nap(uint64_t waited_ns = 0) { return pacer_.next_nap(waited_ns); }

 private:
  static constexpr int kListens = 16;

  uint64_t patience_ns() const { return awaits_ == Awaits::own_posts ? 20'000'000 : 3'000'000; }

  void restart() {
    pacer_.reset();
    listened_ = false;
  }

  const Awaits awaits_;
  const bool crowded_;
  WaitPacer pacer_;
  bool listened_ = false;
};

}  // namespace canopy::transport
