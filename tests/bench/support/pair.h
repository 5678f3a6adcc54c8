// Pair: this process and a child of its, for benchmarks of two processes, ours and the peers'
// alike. They have a line to talk over and memory that both mapped before the fork. The child runs
// its half and leaves by _exit; when one of them fails, the other sees the line closed and fails,
// too.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

namespace canopy::bench {

inline void require(bool right, const char* what) {
  if (!right) {
    std::fprintf(stderr, "bench: %s\n", what);
    std::exit(1);
  }
}

// Binds the calling thread, and what it starts, to the i-th core that it may use (modulo their
// number).
inline void pin_to_core(size_t i) {
  cpu_set_t allowed;
  require(::sched_getaffinity(0, sizeof allowed, &allowed) == 0, "sched_getaffinity failed");
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) {
      cores.push_back(core);
    }
  }
  cpu_set_t mine;
  CPU_ZERO(&mine);
  CPU_SET(cores[i % cores.size()], &mine);
  require(::sched_setaffinity(0, sizeof mine, &mine) == 0, "sched_setaffinity failed");
}

class Line {
 public:
  explicit Line(int fd) : fd_(fd) {}
  template <class Message>
  void say(const Message& message) {
    require(::send(fd_, &message, sizeof message, MSG_NOSIGNAL) == sizeof message,
            "the other process is gone");
  }
  void say() { say(char{1}); }
  template <class Message>
  Message hear() {
    Message message;
    require(::recv(fd_, &message, sizeof message, 0) == sizeof message,
            "the other process is gone");
    return message;
  }
  void hear() { hear<char>(); }
  int fd() const { return fd_; }

 private:
  int fd_;
};

// A T that both processes see, zeroed. Lives as long as the processes do.
template <class T>
T& in_both() {
  void* at = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(at != MAP_FAILED, "mmap failed");
  return *new (at) T{};
}

// Forks; the child runs child(line), this process parent(line), then waits for the child. With
// `pinned`, this process is bound to the first core and the child to the second.
template <class Parent, class Child>
void run_pair(bool pinned, Parent&& parent, Child&& child) {
  int ends[2];
  require(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "socketpair failed");
  const pid_t self = ::getpid();
  const pid_t pid = ::fork();
  require(pid >= 0, "fork failed");
  if (pinned) {
    pin_to_core(pid == 0 ? 1 : 0);
  }
  Line line(ends[pid == 0 ? 1 : 0]);
  ::close(ends[pid == 0 ? 0 : 1]);
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == self) {
      child(line);
    }
    ::_exit(0);
  }
  parent(line);
  int status = -1;
  require(::waitpid(pid, &status, 0) == pid && status == 0, "the other process failed");
  ::close(line.fd());
}

}  // namespace canopy::bench
