// sharing_bench NAME...: what two processes do with one card's memory and notifies; each benchmark
// prints one RESULT line. Each runs in a pair of processes of its own, forked before the runtime
// starts.
#include "tests/bench/sharing/sharing.h"
#include "tests/bench/support/named.h"

int main(int argc, char** argv) {
  using namespace canopy::bench;
  const NamedBenchmark benchmarks[] = {{"ipc_import_us", ipc_import_us},
                                       {"p2p_copy_GBps", p2p_copy},
                                       {"ipc_notify_us", ipc_notify_us},
                                       {"ipc_notify_asleep_us", ipc_notify_asleep_us},
                                       {"smi_ms", smi_ms}};
  return run_named("sharing_bench", benchmarks, argc, argv);
}
