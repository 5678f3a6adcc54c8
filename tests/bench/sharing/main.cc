// sharing_bench NAME...: what two processes do with one card's memory and notifies; each benchmark
// prints one RESULT line. Each runs in a pair of processes of its own, forked before the runtime
// starts.
#include "tests/bench/sharing/sharing.h"

#include <cstring>

int main(int argc, char** argv) {
  using namespace canopy::bench;
  struct {
    const char* name;
    void (*run)(double ns_per_tick);
  } const benchmarks[] = {{"ipc_import_us", ipc_import_us},
                          {"p2p_copy_GBps", p2p_copy},
                          {"ipc_notify_us", ipc_notify_us},
                          {"ipc_notify_asleep_us", ipc_notify_asleep_us},
                          {"smi_ms", smi_ms}};
  if (argc != 2) {
    std::fprintf(stderr, "usage: sharing_bench NAME\n");
    return 2;
  }
  for (const auto& benchmark : benchmarks) {
    if (std::strcmp(benchmark.name, argv[1]) == 0) {
      benchmark.run(bench_ns_per_tick());
      return 0;
    }
  }
  std::fprintf(stderr, "sharing_bench: no benchmark is called %s\n", argv[1]);
  return 2;
}
