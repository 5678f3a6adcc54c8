// ProgressThread: serves peers while nobody of this process polls.
//
// One baton: whoever waits in a call polls, and then this thread only looks every few ms whether
// that is still so. When it is not, it takes over: it polls as the waiting policy allows
// (runtime/base/waiter.h), and sleeps on the queues' file descriptors when nothing comes. So an
// idle process costs no CPU, and one that computes serves its peers at once, or a few ms after it
// stopped polling; rest() makes that "at once" too.
//
// Thread-safe: rest() and wake() may be called by anybody.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"

#include <poll.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace canopy::transport::ofi {

class ProgressThread {
 public:
  // What is served; called on the thread only.
  class Served {
   public:
    virtual ~Served() = default;
    // Progresses everything; returns how much it did.
    virtual int serve() = 0;
    // Changes whenever somebody else polls.
    virtual uint64_t polls() = 0;
    // Appends what to sleep on. False: something is ready, do not sleep. `without_fd` is set when
    // something has no file descriptor and must be looked at from time to time.
    virtual bool prepare_sleep(std::vector<pollfd>& fds, bool& without_fd) = 0;
  };

  static Result<std::unique_ptr<ProgressThread>> start(Served& served);
  ~ProgressThread();

  // Nobody polls for a while: take over now.
  void rest();
  // What there is to sleep on has changed.
  void wake();

 private:
  explicit ProgressThread(Served& served) : served_(served) {}
  void run();
  bool is_polled_by_others();
  void sleep_on_queues(std::chrono::nanoseconds nap);

  Served& served_;
  UniqueFd event_;  // ends a sleep on the queues
  Doorbell bell_;   // ends a pause while others poll
  std::atomic<bool> resting_{false};
  std::atomic<bool> stopping_{false};
  uint64_t seen_polls_ = 0;
  std::vector<pollfd> fds_;
  std::thread thread_;
};

}  // namespace canopy::transport::ofi
