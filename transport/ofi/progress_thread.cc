#include "transport/ofi/progress_thread.h"

#include "runtime/base/waiter.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <cerrno>

namespace canopy::transport::ofi {
namespace {

// How soon a process that stopped polling is served: well below the 10 ms that peers may count on,
// and at 500 looks a second still nothing to a core.
constexpr std::chrono::milliseconds kPause{2};

}  // namespace

Result<std::unique_ptr<ProgressThread>> ProgressThread::start(Served& served) {
  std::unique_ptr<ProgressThread> self(new ProgressThread(served));
  self->event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!self->event_) {
    return fail_errno(Errc::limit, errno, "ofi: no eventfd for the progress thread");
  }
  // Signals are the program's business, on its own threads.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  self->thread_ = std::thread([&thread = *self] { thread.run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
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
  // Release: pairs with the acquire in is_polled_by_others().
  resting_.store(true, std::memory_order_release);
  bell_.ring(BellScope::process);
}

bool ProgressThread::is_polled_by_others() {
  const uint64_t polls = served_.polls();
  const bool changed = polls != seen_polls_;
  seen_polls_ = polls;
  return !resting_.exchange(false, std::memory_order_acquire) && changed;
}

void ProgressThread::run() {
  WaitPacer pacer;
  while (!stopping_.load(std::memory_order_acquire)) {
    if (is_polled_by_others()) {
      pacer.reset();
      bell_.sleep(BellScope::process, kPause, [this] {
        return !stopping_.load(std::memory_order_acquire) &&
               !resting_.load(std::memory_order_acquire);
      });
      continue;
    }
    if (served_.serve() > 0) {
      pacer.reset();
    }
    if (pacer.step()) {
      pacer.drop_permit();
      sleep_on_queues(pacer.next_nap());
      pacer.reset();
    }
  }
}

void ProgressThread::sleep_on_queues(std::chrono::nanoseconds nap) {
  fds_.assign(1, pollfd{event_.get(), POLLIN, 0});
  bool without_fd = false;
  if (!served_.prepare_sleep(fds_, without_fd)) {
    return;
  }
  const timespec limit{0, static_cast<long>(nap.count())};
  ::ppoll(fds_.data(), fds_.size(), without_fd ? &limit : nullptr, nullptr);
  if (fds_[0].revents != 0) {
    uint64_t count;
    [[maybe_unused]] const ssize_t taken = ::read(event_.get(), &count, sizeof count);
  }
}

}  // namespace canopy::transport::ofi
