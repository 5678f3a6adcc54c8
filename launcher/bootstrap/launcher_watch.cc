#include "launcher/bootstrap/launcher_watch.h"

#include "runtime/base/log.h"
#include "runtime/base/start_thread.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace canopy {

std::unique_ptr<LauncherWatch> LauncherWatch::start(int launcher_pid, std::string name) {
  std::unique_ptr<LauncherWatch> watch(new LauncherWatch);
  watch->launcher_.reset(static_cast<int>(::syscall(SYS_pidfd_open, launcher_pid, 0)));
  watch->stop_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!watch->launcher_ || !watch->stop_) {
    log(LogLevel::info, "the launcher (pid {}) cannot be watched: {}", launcher_pid,
        std::string(strerrorname_np(errno)));
    return nullptr;
  }
  watch->owner_ = ::getpid();
  auto thread = std::make_unique<std::thread>();
  if (!start_thread(thread.get(), "the watch over the launcher",
                    [w = watch.get(), launcher_pid, name = std::move(name)] { w->watch(launcher_pid, name); })) {
    log(LogLevel::warn, "the launcher (pid {}) cannot be watched: {}", launcher_pid, error_text::take_newest());
    return nullptr;
  }
  watch->thread_ = std::move(thread);
  return watch;
}

LauncherWatch::~LauncherWatch() {
  if (thread_ == nullptr) {
    return;
  }
  if (::getpid() != owner_) {
    thread_.release();  // leaked: there is no thread to join
    return;
  }
  const uint64_t one = 1;
  while (::write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_->join();
}

void LauncherWatch::watch(int launcher_pid, const std::string& name) const {
  pthread_setname_np(pthread_self(), "canopy-launch");
  pollfd fds[] = {{launcher_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
  while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
  if (fds[1].revents != 0 || fds[0].revents == 0) {
    return;
  }
  if (!name.empty()) {
    report(fmt::format("{}: the launcher (pid {}) is gone; the job ends", name, launcher_pid));
  }
  ::_exit(kStatus);
}

}  // namespace canopy
