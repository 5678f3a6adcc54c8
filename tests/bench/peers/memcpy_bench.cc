// The bare layer below a put of 1 MiB on one host: memcpy from private to shared memory, warm.
// Usage: memcpy_bench put1m_GBps (pins itself to the first core it may use, as PE 0 is).
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

constexpr size_t kBytes = 1 << 20;
constexpr size_t kPerBatch = 16;

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

unsigned char* shared_memory() {
  const int fd = ::memfd_create("memcpy_bench", MFD_CLOEXEC);
  if (fd < 0 || ::ftruncate(fd, kBytes) != 0) {
    std::perror("memcpy_bench: memfd");
    std::exit(1);
  }
  void* at = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) {
    std::perror("memcpy_bench: mmap");
    std::exit(1);
  }
  return static_cast<unsigned char*>(at);
}

}  // namespace

int main() {
  pin_to_first_core();
  const double ns_per_tick = bench_ns_per_tick();
  unsigned char* dst = shared_memory();
  std::vector<unsigned char> src(kBytes, 1);
  std::vector<double> rates;
  uint64_t round = 0;
  for (size_t batch = 0; batch < bench_repeats(100); ++batch) {
    const uint64_t start = bench_ticks();
    for (size_t i = 0; i < kPerBatch; ++i) {
      ++round;
      std::memcpy(src.data() + kBytes - sizeof round, &round, sizeof round);
      std::memcpy(dst, src.data(), kBytes);
      __asm__ __volatile__("" ::: "memory");
    }
    const double ns = static_cast<double>(bench_ticks() - start) * ns_per_tick;
    rates.push_back(static_cast<double>(kBytes * kPerBatch) / ns);
  }
  if (std::memcmp(dst, src.data(), kBytes) != 0) {
    std::fprintf(stderr, "memcpy_bench: the copy differs from its source\n");
    return 1;
  }
  bench_report("put1m_GBps", rates.data() + rates.size() / 10, rates.size() - rates.size() / 10, 1);
  return 0;
}
