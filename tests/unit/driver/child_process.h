// ChildProcess: a second process for tests, forked, with a line to talk over. The child leaves by
// _exit, never runs the parent's tests, and dies with the parent.
#pragma once

#include "runtime/base/unique_fd.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

namespace canopy::test {

// One end of the line. Each say() is heard as one message.
class Line {
 public:
  // The parent's: a child that hangs is told from one that is slow after 20 s. A child's has no such end: it stays as long as
  // its parent does, however long a test takes.
  static Line of_parent(int fd) {
    timeval patience{20, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return Line(fd);
  }
  explicit Line(int fd) : fd_(fd) {}
  void say(const std::string& text) {
    [[maybe_unused]] const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  // "" when the other side is gone, or, for the parent, silent for 20 s.
  std::string hear() {
    char buffer[2048];
    ssize_t got;
    do {
      got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    } while (got < 0 && errno == EINTR);  // stopped and continued
    return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : std::string();
  }

 private:
  UniqueFd fd_;
};

class ChildProcess {
 public:
  // Forks; the child runs body(Line&) and leaves with 0.
  template <class Body>
  explicit ChildProcess(Body&& body) : ChildProcess(ends(), std::forward<Body>(body)) {}
  ~ChildProcess() {
    if (pid_ > 0) {
      kill();
    }
  }
  ChildProcess(const ChildProcess&) = delete;

  Line& line() { return line_; }
  pid_t pid() const { return pid_; }
  // kill -9, and waits until the process has left for good.
  void kill() {
    ::kill(pid_, SIGKILL);
    wait();
  }
  int wait() {
    int status = -1;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  static std::pair<int, int> ends() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    return {fds[0], fds[1]};
  }
  template <class Body>
  ChildProcess(std::pair<int, int> ends, Body&& body) : line_(Line::of_parent(ends.first)) {
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == parent) {
        Line line(ends.second);
        body(line);
      }
      ::_exit(0);
    }
    ::close(ends.second);
  }

  Line line_;
  pid_t pid_ = -1;
};

}  // namespace canopy::test
