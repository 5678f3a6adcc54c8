// The bare layer below a barrier of processes: words in memory that they share. Two meet by a flag each and spin, on a
// core each; more of them than cores count themselves in, give their core away, and the last one sets a word free.
// Usage: bare_barrier_bench METRIC..., METRIC being barrier{2,4,8}_ns
#include "tests/bench/support/pair.h"
#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

namespace canopy::bench {
namespace {

struct alignas(64) Word {
  std::atomic<uint64_t> value{0};
};

struct Meeting {
  Word flags[2];
  Word arrived;
  Word released;
};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void meet_two(Meeting& meeting, int me, uint64_t generation) {
  // Release and acquire: what was stored before is seen after. The exchange is the StoreLoad fence of a barrier.
  meeting.flags[me].value.exchange(generation, std::memory_order_seq_cst);
  while (meeting.flags[1 - me].value.load(std::memory_order_acquire) < generation) {
    relax();
  }
}

void meet_many(Meeting& meeting, int n, uint64_t generation) {
  const auto everybody = generation * static_cast<uint64_t>(n);
  if (meeting.arrived.value.fetch_add(1, std::memory_order_acq_rel) + 1 == everybody) {
    meeting.released.value.store(generation, std::memory_order_release);
    return;
  }
  while (meeting.released.value.load(std::memory_order_acquire) < generation) {
    ::sched_yield();
  }
}

void meet(Meeting& meeting, int n, int me, uint64_t generation) {
  n == 2 ? meet_two(meeting, me, generation) : meet_many(meeting, n, generation);
}

void run(const char* metric, int n, double ns_per_tick) {
  auto& meeting = in_both<Meeting>();
  const uint64_t calls = n == 2 ? 1000 : bench_repeats(100);
  const size_t batches = bench_repeats(n == 2 ? 200 : 100);
  std::vector<pid_t> children;
  int me = 0;
  for (int i = 1; i < n && me == 0; ++i) {
    const pid_t pid = ::fork();
    require(pid >= 0, "fork failed");
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      me = i;
    } else {
      children.push_back(pid);
    }
  }
  if (n == 2) {
    pin_to_core(static_cast<size_t>(me));
  }
  std::vector<double> samples;
  uint64_t generation = 0;
  for (size_t b = 0; b < batches; ++b) {
    const uint64_t start = bench_ticks();
    for (uint64_t i = 0; i < calls; ++i) {
      meet(meeting, n, me, ++generation);
    }
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / static_cast<double>(calls));
  }
  if (me != 0) {
    ::_exit(0);
  }
  for (const pid_t child : children) {
    int status = -1;
    require(::waitpid(child, &status, 0) == child && status == 0, "a process failed");
  }
  bench_report(metric, samples.data(), samples.size(), 0);
}

}  // namespace
}  // namespace canopy::bench

int main(int argc, char** argv) {
  using namespace canopy::bench;
  const double ns_per_tick = bench_ns_per_tick();
  for (int i = 1; i < argc; ++i) {
    int n = 0;
    if (std::sscanf(argv[i], "barrier%d_ns", &n) != 1 || (n != 2 && n != 4 && n != 8)) {
      std::fprintf(stderr, "bare_barrier_bench: no benchmark is called %s\n", argv[i]);
      return 2;
    }
    run(argv[i], n, ns_per_tick);
  }
  return 0;
}
