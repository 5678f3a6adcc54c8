#include "launcher/cluster/relay.h"

#include <cerrno>
#include <cstdio>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace canopy::cluster {
namespace {

constexpr int kRelayed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

[[noreturn]] void stand_in_for(pid_t child, const sigset_t& waited, const sigset_t& before,
                               const std::function<void(int)>& before_end) {
  for (;;) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      if (before_end) {
        sigprocmask(SIG_SETMASK, &before, nullptr);
        before_end(status);
      }
      _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    siginfo_t info{};
    if (sigwaitinfo(&waited, &info) > 0 && info.si_signo != SIGCHLD && info.si_code <= 0) {
      kill(child, info.si_signo);  // si_code <= 0: sent by a process
    }
  }
}

}  // namespace

Result<> go_on_as_child(const std::function<void(int status)>& before_end) {
  sigset_t waited;
  sigset_t before;
  sigemptyset(&waited);
  sigaddset(&waited, SIGCHLD);
  for (int number : kRelayed) {
    sigaddset(&waited, number);
  }
  // Who ignores dead children, and hands that on by exec, would not learn how this one ended.
  signal(SIGCHLD, SIG_DFL);
  // Blocked before the fork, so that none is lost in between.
  sigprocmask(SIG_BLOCK, &waited, &before);
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child > 0) {
    stand_in_for(child, waited, before, before_end);
  }
  const int err = errno;
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) {
    return fail_errno(Errc::limit, err, "cannot fork");
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return {};
}

}  // namespace canopy::cluster
