// The bare layer below a put of 1 MiB on one host, and below aclrtMemcpy: one thread's memcpy between private and shared
// memory, warm. Usage: memcpy_bench METRIC...; for put1m_GBps it pins itself to the first core it may use, as PE 0 is.
#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

void pin_to_first_core() {
  cpu_set_t allowed;
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  int core = 0;
  while (!CPU_ISSET(core, &allowed)) {
    ++core;
  }
  cpu_set_t mine;
  CPU_ZERO(&mine);
  CPU_SET(core, &mine);
  ::sched_setaffinity(0, sizeof mine, &mine);
}

// Touched: what is measured is the copy.
unsigned char* shared_memory(size_t bytes) {
  const int fd = ::memfd_create("memcpy_bench", MFD_CLOEXEC);
  if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    std::perror("memcpy_bench: memfd");
    std::exit(1);
  }
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) {
    std::perror("memcpy_bench: mmap");
    std::exit(1);
  }
  ::close(fd);
  std::memset(at, 1, bytes);
  return static_cast<unsigned char*>(at);
}

struct Way {
  const char* metric;
  bool from_shared;
  bool to_shared;
  size_t bytes;
  size_t batches;
  size_t per_batch;
};

constexpr size_t kMiB = 1 << 20;
constexpr Way kWays[] = {
    {"put1m_GBps", false, true, kMiB, 100, 16},
    {"memcpy_h2d_GBps", false, true, kMiB, 1600, 1},
    {"memcpy_d2h_GBps", true, false, kMiB, 1600, 1},
    {"memcpy_d2d_GBps", true, true, kMiB, 1600, 1},
    {"memcpy_h2d64m_GBps", false, true, 64 * kMiB, 40, 1},
    {"memcpy_d2h64m_GBps", true, false, 64 * kMiB, 40, 1},
    {"memcpy_d2d64m_GBps", true, true, 64 * kMiB, 40, 1},
    {"p2p_copy_GBps", true, true, 64 * kMiB, 40, 1},
};

void measure(const Way& way, double ns_per_tick) {
  std::vector<unsigned char> from_memory(way.from_shared ? 0 : way.bytes, 1);
  std::vector<unsigned char> to_memory(way.to_shared ? 0 : way.bytes, 1);
  unsigned char* from = way.from_shared ? shared_memory(way.bytes) : from_memory.data();
  unsigned char* to = way.to_shared ? shared_memory(way.bytes) : to_memory.data();
  std::vector<double> rates;
  uint64_t round = 0;
  const size_t batches = bench_repeats(way.batches);
  for (size_t batch = 0; batch < batches + batches / 10 + 1; ++batch) {
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < way.per_batch; ++i) {
      ++round;
      std::memcpy(from + way.bytes - sizeof round, &round, sizeof round);
      std::memcpy(to, from, way.bytes);
      __asm__ __volatile__("" ::: "memory");
    }
    const double ns = static_cast<double>(bench_ticks() - start) * ns_per_tick;
    if (batch > batches / 10) {
      rates.push_back(static_cast<double>(way.bytes * way.per_batch) / ns);
    }
  }
  if (std::memcmp(to, from, way.bytes) != 0) {
    std::fprintf(stderr, "memcpy_bench: the copy differs from its source\n");
    std::exit(1);
  }
  bench_report(way.metric, rates.data(), rates.size(), 1);
}

}  // namespace

int main(int argc, char** argv) {
  const double ns_per_tick = bench_ns_per_tick();
  for (int i = 1; i < argc; ++i) {
    const Way* found = nullptr;
    for (const Way& way : kWays) {
      found = std::strcmp(way.metric, argv[i]) == 0 ? &way : found;
    }
    if (found == nullptr) {
      std::fprintf(stderr, "memcpy_bench: no benchmark is called %s\n", argv[i]);
      return 2;
    }
    if (found == &kWays[0]) {
      pin_to_first_core();  // as PE 0 is
    }
    measure(*found, ns_per_tick);
  }
  return 0;
}
