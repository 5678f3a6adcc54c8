// The waiting policy. Nothing else in Canopy spins, yields in a loop or sleeps, but what builds on it for networks
// (transport/base/network_pacer.h).
//
// A wait goes through four phases: (0) a few free polls, about as long as one cache line takes to
// cross between two cores; (1) spinning, only for those who hold one of the host's spin permits
// (cores - 1 in all, SpinBudget), with a look now and then at who else is on this core (base/yield.h);
// (2) sched_yield, 100 times (25 where each poll costs a system call), which is about 50 us on an idle
// machine; (3) sleep: on the doorbell if the waker is our code, else in timed naps that grow to 1 ms.
// Every wait has a deadline, and says who waits for what after 60 s and when the deadline passes.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/clock.h"
#include "runtime/base/doorbell.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace canopy {

// When a wait gives up. The default is the user's: CANOPY_TIMEOUT in seconds, none if unset.
class Deadline {
 public:
  static Deadline never() { return Deadline(~0ull); }
  static Deadline after(std::chrono::nanoseconds span);
  static Deadline at_ns(uint64_t monotonic) { return Deadline(monotonic); }
  static Deadline user_default();

  bool is_never() const { return at_ns_ == ~0ull; }
  bool passed(uint64_t now_ns) const { return now_ns >= at_ns_; }
  std::chrono::nanoseconds left(uint64_t now_ns) const;

 private:
  explicit Deadline(uint64_t at_ns) : at_ns_(at_ns) {}
  uint64_t at_ns_;
};

enum class WaitEnd : uint8_t { ready, deadline };

// Who ends a wait on a doorbell.
enum class WakenBy : uint8_t {
  ours,   // every store that can end it rings the bell
  anyone  // the program may store by itself: the sleeper also looks every ms
};

// How many threads of this host may spin. The counter starts private to the process; the driver
// points it at the host table, so that it is one per host.
class SpinBudget {
 public:
  // `used` is the host's counter, `own` the part of it that this process holds (so that survivors
  // can give back what a killed process held). Both must outlive every later wait.
  static void attach(uint32_t* used, uint32_t* own, uint32_t limit);
  static void detach();
  static bool try_acquire();
  static void release();
  // Ranks outnumber the host's cores. More than that nobody may spin: a rank that mpirun bound to one
  // core has no permit either, because its own threads need that core, but its peers have cores of their
  // own.
  static bool crowded();
};

// Cores this process may run on.
int usable_cores();

// A callable passed by reference: neither owns nor allocates.
template <class Signature>
class FunctionRef;
template <class R, class... A>
class FunctionRef<R(A...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>)
  FunctionRef(F&& f)  // implicit, as a parameter type should be
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* object, A... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<A>(args)...);
        }) {}
  R operator()(A... args) const { return call_(object_, std::forward<A>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, A...);
};

// Whose wait it is. An executor that looks for work gets a host thread's permit: what the host waits
// for is done by executors.
enum class SpinRank : uint8_t { host, executor };

// What a poll is for. In passing: the next one is near; who knows that it is too early need not take the line from its writer.
// Closely: before a sleep, or the end.
enum class Poll : uint8_t { in_passing, closely };

// What lies between two polls: nothing, or a system call's time of work, which needs no pause, and beside which a
// sched_yield each time would be felt.
enum class PollCost : uint8_t { none, system_call };

// Paces one wait by hand, for loops that have other work between two polls (executors, progress).
class WaitPacer {
 public:
  explicit WaitPacer(SpinRank rank = SpinRank::host, PollCost cost = PollCost::none) : rank_(rank), cost_(cost) {}
  ~WaitPacer() { drop_permit(); }
  WaitPacer(const WaitPacer&) = delete;
  WaitPacer& operator=(const WaitPacer&) = delete;

  // One step of phases 0 to 2. Returns true when it is time to sleep (phase 3).
  bool step();
  // Phases 0 and 1: the next poll is a pause away.
  bool spins() const { return permit_ || start_ns_ == 0; }
  // Lets others run, in every 4th call where polls cost a system call.
  void yield();
  // How long the next nap may be when nobody rings: 50 us growing to 1 ms. For who has waited long, on to 1/64 of that
  // and 16 ms at most, so that a long wait costs next to nothing.
  std::chrono::nanoseconds next_nap(uint64_t waited_ns = 0);
  // The longest nap of who has a bell and does not listen to it: what is rung meanwhile is late by as much.
  static constexpr std::chrono::nanoseconds kLongestDeafNap{1'000'000};
  // Gives the spin permit back; called before sleeping and when work was found.
  void drop_permit();
  void reset();
  uint64_t waited_ns() const { return start_ns_ == 0 ? 0 : monotonic_ns() - start_ns_; }

 private:
  bool slow_step();
  bool may_spin();
  bool spins_on();
  void try_permit(uint64_t now_ns);
  void pause() const;
  const SpinRank rank_;
  const PollCost cost_;
  uint32_t polls_ = 0;
  bool permit_ = false;
  uint64_t start_ns_ = 0;
  uint64_t spin_until_ns_ = 0;
  uint32_t yields_ = 0;
  uint32_t polls_since_yield_ = 0;
  uint64_t nap_ns_ = 0;
};

namespace waiter_detail {
WaitEnd wait_slow(FunctionRef<bool(Poll)> ready, Doorbell* bell, BellScope scope, Deadline deadline,
                  FunctionRef<std::string()> describe, WakenBy waker, const FunctionRef<bool()>* elsewhere = nullptr);
inline WaitEnd wait_slow(FunctionRef<bool()> ready, Doorbell* bell, BellScope scope, Deadline deadline,
                         FunctionRef<std::string()> describe, WakenBy waker) {
  return wait_slow(FunctionRef<bool(Poll)>([&](Poll) { return ready(); }), bell, scope, deadline, describe, waker);
}
inline constexpr int kFreePolls = 24;
}  // namespace waiter_detail

// wait_until() where ranks outnumber cores, and nothing is polled for free: whoever is waited for may need this core. But for who
// can tell: while elsewhere() says that all who are waited for are on other cores, the wait polls for a yield's time before each
// yield. (2026-11, 2 cores, a yield to another process takes 1.8 us: barriers of 4 PEs 2.1 us, 3.1 where all yielded at once.)
inline WaitEnd wait_crowded(FunctionRef<bool()> ready, FunctionRef<bool()> elsewhere, Doorbell* bell, BellScope scope,
                            Deadline deadline, FunctionRef<std::string()> describe, WakenBy waker) {
  const auto look = [&](Poll) { return ready(); };
  return waiter_detail::wait_slow(look, bell, scope, deadline, describe, waker, &elsewhere);
}

// Waits until ready() is true; ready() may be called again after it was, so a condition that takes
// something must remember that it did. It may also be ready(Poll). `bell` may be null: then the wait naps. `describe` says who waits for
// what, and is called only when somebody has to read it.
template <class Ready, class Describe>
inline WaitEnd wait_until(Ready&& ready, Doorbell* bell, BellScope scope, Deadline deadline,
                          Describe&& describe, WakenBy waker = WakenBy::ours) {
  const auto look = [&](Poll how) -> bool {
    if constexpr (std::is_invocable_v<Ready&, Poll>) {
      return ready(how);
    } else {
      return ready();
    }
  };
  for (int i = 0; i < waiter_detail::kFreePolls; ++i) {
    if (look(Poll::in_passing)) {
      return WaitEnd::ready;
    }
    cpu_relax();
  }
  return waiter_detail::wait_slow(FunctionRef<bool(Poll)>(look), bell, scope, deadline, describe, waker);
}

}  // namespace canopy
