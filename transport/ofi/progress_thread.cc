#include "transport/ofi/progress_thread.h"

#include "runtime/base/clock.h"
#include "runtime/base/start_thread.h"
#include "runtime/base/waiter.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <cerrno>

namespace canopy::transport::ofi {
namespace {

// A process that stopped polling is served within the two of them together: below half of the 10 ms
// that peers may count on. Each look of a pause costs the one who polls 25 us where a virtual
// machine's timer ends it on the same core (2026-11: 2 % of a put or get of 8 bytes at 500 looks a
// second), so there is one that asks for both: how often, and how lately.
constexpr std::chrono::milliseconds kPause{4};
constexpr uint64_t kLatelyNs = 500'000;
// Who polls this often serves peers well enough. By time, because a poll that moves a piece of a large
// transfer takes 100 us and more: who counted polls took such a caller for one that has stopped, and
// competed with it. Who waits in naps says so by rest().
constexpr uint64_t kPollGapNs = 250'000;
// While active: looks at the others once in so many turns.
constexpr uint32_t kTurns = 16;
// Looks between two yields, which cost as much as one.
constexpr int kLooks = 8;
// Naps in which no context did anything before the sleep has no limit: so that a poster pays for a
// wake-up once per 10 ms at most.
constexpr uint32_t kIdleNaps = 16;

}  // namespace

Result<std::unique_ptr<ProgressThread>> ProgressThread::start(Served& served) {
  std::unique_ptr<ProgressThread> self(new ProgressThread(served));
  self->event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!self->event_) {
    return fail_errno(Errc::limit, errno, "ofi: no eventfd for the progress thread");
  }
  CANOPY_TRY(start_thread(&self->thread_, "progress of the network", [&thread = *self] { thread.run(); }));
  ::pthread_setname_np(self->thread_.native_handle(), "canopy-ofi");
  return self;
}

ProgressThread::~ProgressThread() {
  // Release: pairs with the acquire loads of run(); wake() and ring() publish it to a sleeper.
  stopping_.store(true, std::memory_order_release);
  wake();
  bell_.ring(BellScope::process);
  if (thread_.joinable()) {
    thread_.join();
  }
}

void ProgressThread::wake() {
  const uint64_t one = 1;
  // A full counter wakes just as well.
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

void ProgressThread::rest() {
  // Release: pairs with the acquire in pause_while_others_poll().
  resting_.store(true, std::memory_order_release);
  bell_.ring(BellScope::process);
}

bool ProgressThread::others_poll() {
  if (++turns_ < kTurns) {
    return false;
  }
  return polled_often();
}

void ProgressThread::start_counting() {
  turns_ = 0;
  seen_polls_ = served_.polls();
  counting_since_ns_ = monotonic_ns();
}

bool ProgressThread::polled_often() {
  const uint64_t polls = served_.polls() - seen_polls_;
  const uint64_t ns = monotonic_ns() - counting_since_ns_;
  start_counting();
  return polls > 1 && polls * kPollGapNs >= ns;
}

// Who polled often and has stopped since is not to be taken for one that goes on.
bool ProgressThread::polled_lately() { return served_.since_poll_ns() < kLatelyNs; }

void ProgressThread::pause_while_others_poll() {
  serves_.store(false, std::memory_order_relaxed);
  const auto goes_on = [this] {
    return !stopping_.load(std::memory_order_acquire) && !resting_.load(std::memory_order_acquire);
  };
  do {
    start_counting();
    bell_.sleep(BellScope::process, kPause, goes_on);
  } while (goes_on() && polled_often() && polled_lately());
  resting_.store(false, std::memory_order_relaxed);  // it has been obeyed
  start_counting();
}

void ProgressThread::run() {
  WaitPacer pacer;
  while (!stopping_.load(std::memory_order_acquire)) {
    for (int look = 0; look < kLooks; ++look) {
      if (served_.serve() > 0) {
        pacer.reset();
        break;
      }
    }
    if (others_poll()) {
      pacer.reset();
      pause_while_others_poll();
    } else if (pacer.step()) {
      pacer.drop_permit();
      if (sleep(pacer.next_nap())) {
        pacer.reset();
        start_counting();
      }
    }
  }
}

bool ProgressThread::may_sleep_without_limit() {
  if (served_.active()) {
    idle_naps_ = 0;
  }
  if (served_.wait_fd() < 0 || ++idle_naps_ <= kIdleNaps) {
    return false;
  }
  // The sleeper pays (as runtime/base/doorbell.h): who posts after this sees asleep_, or we see
  // what it posted. Release and the membarrier pair with notice().
  asleep_.store(true, std::memory_order_release);
  if (membarrier(BellScope::process) && !served_.active()) {
    return true;
  }
  asleep_.store(false, std::memory_order_relaxed);
  return false;
}

bool ProgressThread::sleep(std::chrono::nanoseconds nap) {
  const bool without_limit = may_sleep_without_limit();
  bool by_peer = true;
  serves_.store(false, std::memory_order_relaxed);
  if (served_.may_sleep()) {
    pollfd fds[] = {{event_.get(), POLLIN, 0}, {served_.wait_fd(), POLLIN, 0}};
    const timespec limit{0, static_cast<long>(nap.count())};
    ::ppoll(fds, 2, without_limit ? nullptr : &limit, nullptr);
    by_peer = fds[1].revents != 0;
    if (fds[0].revents != 0) {
      uint64_t count;
      [[maybe_unused]] const ssize_t taken = ::read(event_.get(), &count, sizeof count);
    }
  }
  asleep_.store(false, std::memory_order_relaxed);
  serves_.store(by_peer, std::memory_order_relaxed);
  return by_peer;
}

}  // namespace canopy::transport::ofi
