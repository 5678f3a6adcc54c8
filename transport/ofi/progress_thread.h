// ProgressThread: serves peers while nobody of this process polls, and moves on what our contexts
// have under way.
//
// One baton: whoever waits in a call polls, and then this thread only looks every few ms whether
// that is still so. When it is not, it takes over: it polls as the waiting policy allows
// (runtime/base/waiter.h), and sleeps on the server's file descriptor when nothing comes - in naps
// while something of ours is under way, because contexts have no descriptor. So an idle process
// costs no CPU, and one that computes serves its peers at once, or a few ms after it stopped
// polling; rest() makes that "at once" too.
//
// Thread-safe: rest(), wake() and notice() may be called by anybody.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"

#include <atomic>
#include <memory>
#include <thread>

namespace canopy::transport::ofi {

class ProgressThread {
 public:
  // What is served; called on the thread only.
  class Served {
   public:
    virtual ~Served() = default;
    // Serves peers, and contexts that nobody polls; returns how much there was to do.
    virtual int serve() = 0;
    // How often others served peers, and how long ago the last time was.
    virtual uint64_t polls() = 0;
    virtual uint64_t since_poll_ns() = 0;
    // Something of a context is under way, or somebody polled one since the last call.
    virtual bool active() = 0;
    // What becomes readable when a peer wants something; -1: there is nothing like that.
    virtual int wait_fd() = 0;
    // False: do not sleep on wait_fd(), something is ready.
    virtual bool may_sleep() = 0;
  };

  static Result<std::unique_ptr<ProgressThread>> start(Served& served);
  ~ProgressThread();

  // Nobody polls for a while: take over now.
  void rest();
  // A peer has woken this thread, and it has not slept since. A hint: orders nothing.
  bool serves() const { return serves_.load(std::memory_order_relaxed); }
  // Ends a sleep.
  void wake();
  // Something is under way that active() tells of: wakes only a sleep without limit.
  void notice() {
    compiler_barrier();
    // Relaxed: the membarrier of the sleeper stands for the fence that would be here.
    if (asleep_.load(std::memory_order_relaxed)) [[unlikely]] {
      wake();
    }
  }

 private:
  explicit ProgressThread(Served& served) : served_(served) {}
  void run();
  void pause_while_others_poll();
  bool others_poll();
  // Of the others' polls: from here on, and whether they were close enough together since.
  void start_counting();
  bool polled_often();
  bool polled_lately();
  // True when a peer ended it.
  bool sleep(std::chrono::nanoseconds nap);
  bool may_sleep_without_limit();

  Served& served_;
  UniqueFd event_;  // ends a sleep on the server's descriptor
  Doorbell bell_;   // ends a pause while others poll
  std::atomic<bool> asleep_{false};
  std::atomic<bool> resting_{false};
  std::atomic<bool> serves_{false};
  std::atomic<bool> stopping_{false};
  uint64_t seen_polls_ = 0;
  uint64_t counting_since_ns_ = 0;
  uint32_t turns_ = 0;
  uint32_t idle_naps_ = 0;
  std::thread thread_;
};

}  // namespace canopy::transport::ofi
