// jemalloc's side of malloc_ns, soma_malloc_ns and soma_free_ns: 64 blocks of 4 KiB at a time, warm, each written to.
// Usage: malloc_bench METRIC...
#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr size_t kBatch = 64;
constexpr size_t kBytes = 4096;

void measure(const char* metric, bool of_free, double ns_per_tick) {
  std::array<void*, kBatch> blocks{};
  std::vector<double> samples;
  for (size_t round = 0; round < bench_repeats(1000) + 10; ++round) {
    uint64_t start = bench_ticks();
    for (void*& block : blocks) {
      block = std::malloc(kBytes);
    }
    uint64_t ticks = bench_ticks() - start;
    for (size_t i = 0; i < kBatch; ++i) {
      if (blocks[i] == nullptr) {
        std::fprintf(stderr, "malloc_bench: out of memory\n");
        std::exit(1);
      }
      *static_cast<volatile uint64_t*>(blocks[i]) = i;
    }
    start = bench_ticks();
    for (void* block : blocks) {
      std::free(block);
    }
    ticks = of_free ? bench_ticks() - start : ticks;
    if (round >= 10) {
      samples.push_back(static_cast<double>(ticks) * ns_per_tick / kBatch);
    }
  }
  bench_report(metric, samples.data(), samples.size(), 0);
}

}  // namespace

int main(int argc, char** argv) {
  const double ns_per_tick = bench_ns_per_tick();
  for (int i = 1; i < argc; ++i) {
    measure(argv[i], std::strstr(argv[i], "free") != nullptr, ns_per_tick);
  }
  return 0;
}
