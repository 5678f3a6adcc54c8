#include "tests/bench/harness/child.h"

#include "runtime/base/clock.h"
#include "runtime/base/unique_fd.h"

#include <fmt/ranges.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

namespace canopy::bench {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr size_t kShownStderr = 2000;
constexpr int kMachineCannot = 3;  // as the command line tool says it

sigset_t child_signal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  return set;
}

// A file in memory, not a pipe: a descendant that outlives the child and keeps the other end open
// cannot keep us reading.
Result<UniqueFd> capture_file(const char* name) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd) {
    return fail_errno(Errc::io, errno, "memfd for the {} of a benchmark", name);
  }
  return fd;
}

std::string contents(const UniqueFd& fd) {
  std::string text;
  char buffer[4096];
  off_t at = 0;
  for (ssize_t n; (n = ::pread(fd.get(), buffer, sizeof buffer, at)) > 0; at += n) {
    text.append(buffer, static_cast<size_t>(n));
  }
  return text;
}

[[noreturn]] void exec_in_child(const Command& command, int out, int err) {
  ::setpgid(0, 0);  // so that a timeout reaches whatever it starts
  const sigset_t set = child_signal();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  for (const auto& [name, value] : command.env) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  std::vector<char*> argv;
  for (const std::string& arg : command.args) {
    argv.push_back(const_cast<char*>(arg.c_str()));
  }
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

// The child's wait status, or nothing once `deadline_ns` has passed.
std::optional<int> wait_for(pid_t pid, uint64_t deadline_ns) {
  const sigset_t set = child_signal();
  for (;;) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      return status;
    }
    const uint64_t now = monotonic_ns();
    if (now >= deadline_ns) {
      return std::nullopt;
    }
    const uint64_t left = deadline_ns - now;
    const timespec span{static_cast<time_t>(left / kSecond), static_cast<long>(left % kSecond)};
    ::sigtimedwait(&set, nullptr, &span);  // EINTR and EAGAIN: the loop looks again
  }
}

// mpirun ends its ranks in order on SIGTERM, but that can itself hang.
void end_child(pid_t pid) {
  ::kill(-pid, SIGTERM);
  if (!wait_for(pid, monotonic_ns() + 5 * kSecond)) {
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

std::string tail(std::string text) {
  return text.size() <= kShownStderr ? text : "..." + text.substr(text.size() - kShownStderr);
}

}  // namespace

void block_child_signals() {
  const sigset_t set = child_signal();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

std::string to_string(const Command& command) {
  return fmt::format("{}", fmt::join(command.args, " "));
}

Result<ChildOutput> run_child(const Command& command) {
  CANOPY_ASSIGN(const UniqueFd out, capture_file("stdout"));
  CANOPY_ASSIGN(const UniqueFd err, capture_file("stderr"));
  const uint64_t start = monotonic_ns();
  const pid_t pid = ::fork();
  if (pid < 0) {
    return fail_errno(Errc::io, errno, "cannot start {}", to_string(command));
  }
  if (pid == 0) {
    exec_in_child(command, out.get(), err.get());
  }
  const auto status = wait_for(pid, start + static_cast<uint64_t>(command.limit.count()) * kSecond);
  const double wall_ms = static_cast<double>(monotonic_ns() - start) / 1e6;
  if (!status) {
    end_child(pid);
    return fail(Errc::timeout, "{}: still running after {} s; its stderr: {}", to_string(command),
                command.limit.count(), tail(contents(err)));
  }
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
    const bool cannot = WIFEXITED(*status) && WEXITSTATUS(*status) == kMachineCannot;
    return fail(cannot ? Errc::not_supported : Errc::closed, "{}: {} {}; its stderr: {}", to_string(command),
                WIFEXITED(*status) ? "exit status" : "signal",
                WIFEXITED(*status) ? WEXITSTATUS(*status) : WTERMSIG(*status), tail(contents(err)));
  }
  return ChildOutput{contents(out), wall_ms};
}

}  // namespace canopy::bench
