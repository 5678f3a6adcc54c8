// The bare layers below what two processes share: a file descriptor by SCM_RIGHTS and its mapping,
// a cache line between two cores, a futex between two processes. Usage: bare_sharing_bench
// METRIC...
#include "tests/bench/support/pair.h"
#include "tests/bench/support/named.h"
#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#include <atomic>
#include <climits>
#include <cstdint>
#include <cstring>

namespace {
using canopy::bench::in_both;
using canopy::bench::Line;
using canopy::bench::require;
using canopy::bench::run_pair;

constexpr size_t kBytes = size_t{64} << 20;

void send_fd(int line, int fd) {
  char byte = 1;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  require(::sendmsg(line, &message, MSG_NOSIGNAL) == 1, "sendmsg failed");
}

int receive_fd(int line) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  require(::recvmsg(line, &message, MSG_CMSG_CLOEXEC) == 1, "recvmsg failed");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  require(header != nullptr && header->cmsg_type == SCM_RIGHTS, "no file descriptor came");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

// Serves 64 MiB until it is told to stop by a 0.
void serve_memory(Line& line) {
  const int fd = ::memfd_create("bare_sharing_bench", MFD_CLOEXEC);
  require(fd >= 0 && ::ftruncate(fd, kBytes) == 0, "memfd failed");
  void* at = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  require(at != MAP_FAILED, "mmap failed");
  std::memset(at, 7, kBytes);
  line.say();
  while (line.hear<char>() != 0) {
    send_fd(line.fd(), fd);
  }
}

// From the request until the memory is mapped.
void import(double ns_per_tick) {
  std::vector<double> samples;
  const size_t rounds = bench_repeats(1000);
  run_pair(
      true,
      [&](Line& line) {
        line.hear();
        for (size_t i = 0; i < rounds; ++i) {
          const uint64_t start = bench_ticks();
          line.say(char{1});
          const int fd = receive_fd(line.fd());
          void* at = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
          ::close(fd);
          samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / 1e3);
          require(at != MAP_FAILED && static_cast<char*>(at)[kBytes - 1] == 7,
                  "the memory is another one");
          ::munmap(at, kBytes);
        }
        line.say(char{0});
      },
      serve_memory);
  bench_report("ipc_import_us", samples.data(), samples.size(), 0);
}

struct Words {
  alignas(64) std::atomic<uint32_t> ping;
  uint64_t sent;  // beside the word it goes with
  alignas(64) std::atomic<uint32_t> pong;
};

// Spins; a core that something else wants is given away now and then, or one round on a busy
// machine takes the other's time slice.
void await(const std::atomic<uint32_t>& word, uint32_t value) {
  for (uint32_t polls = 1; word.load(std::memory_order_acquire) != value; ++polls) {
    if (polls % 4096 == 0) {
      ::sched_yield();
    }
  }
}

// Both spin: from the stamp before the store to the stamp behind the load that sees it.
void line_between_cores(double ns_per_tick) {
  auto& words = in_both<Words>();
  const auto rounds = static_cast<uint32_t>(bench_repeats(20'000));
  std::vector<double> samples;
  run_pair(
      true,
      [&](Line& line) {
        line.hear();
        for (uint32_t round = 1; round <= rounds; ++round) {
          words.sent = bench_ticks();
          words.ping.store(round, std::memory_order_release);
          await(words.pong, round);
        }
        for (uint32_t i = 0; i < rounds; ++i) {
          samples.push_back(line.hear<double>());
        }
      },
      [&](Line& line) {
        std::vector<double> seen;
        line.say();
        for (uint32_t round = 1; round <= rounds; ++round) {
          await(words.ping, round);
          const uint64_t now = bench_ticks_behind();
          seen.push_back(static_cast<double>(now - words.sent) * ns_per_tick / 1e3);
          words.pong.store(round, std::memory_order_release);
        }
        for (const double sample : seen) {
          line.say(sample);
        }
      });
  bench_report("ipc_notify_us", samples.data(), samples.size(), 0);
}

void futex(std::atomic<uint32_t>& word, int operation, uint32_t value) {
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

// The other process sleeps for 2 ms before it is woken, as long as in ours.
void wake_of_a_sleeper(double ns_per_tick) {
  auto& words = in_both<Words>();
  const auto rounds = static_cast<uint32_t>(bench_repeats(500));
  std::vector<double> samples;
  run_pair(
      true,
      [&](Line& line) {
        for (uint32_t round = 1; round <= rounds; ++round) {
          line.hear();
          const uint64_t until = bench_monotonic_ns() + 2'000'000;
          while (bench_monotonic_ns() < until) {
          }
          words.sent = bench_ticks();
          words.ping.store(round, std::memory_order_release);
          futex(words.ping, FUTEX_WAKE, INT_MAX);
          samples.push_back(line.hear<double>());
        }
      },
      [&](Line& line) {
        for (uint32_t round = 1; round <= rounds; ++round) {
          line.say();
          while (words.ping.load(std::memory_order_acquire) != round) {
            futex(words.ping, FUTEX_WAIT, round - 1);
          }
          const uint64_t now = bench_ticks_behind();
          line.say(static_cast<double>(now - words.sent) * ns_per_tick / 1e3);
        }
      });
  bench_report("ipc_notify_asleep_us", samples.data(), samples.size(), 0);
}

}  // namespace

int main(int argc, char** argv) {
  const NamedBenchmark benchmarks[] = {{"ipc_import_us", import},
                                       {"ipc_notify_us", line_between_cores},
                                       {"ipc_notify_asleep_us", wake_of_a_sleeper}};
  return run_named("bare_sharing_bench", benchmarks, argc, argv);
}
