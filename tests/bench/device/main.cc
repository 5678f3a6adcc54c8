// device_bench NAME...: the benchmarks of the device runtime; each prints one RESULT line.
#include "tests/bench/device/bench.h"

#include <cstring>

int main(int argc, char** argv) {
  using namespace canopy::bench;
  struct {
    const char* name;
    void (*run)(double ns_per_tick);
  } const benchmarks[] = {
      {"launch_ns", launch_ns},
      {"launch_rate", launch_rate},
      {"launch_sync_us", launch_sync_us},
      {"launch_sync_asleep_us", launch_sync_asleep_us},
      {"task_gap_ns", task_gap_ns},
      {"event_sync_same_ns", event_sync_same_ns},
      {"event_sync_other_ns", event_sync_other_ns},
      {"event_sync_over_line_ns", event_sync_over_line_ns},
      {"blocks48_us", blocks48_us},
      {"idle_cpu", idle_cpu},
      {"malloc_ns", malloc_ns},
      {"malloc64m_us", malloc64m_us},
      {"soma_malloc_ns", soma_malloc_ns},
      {"soma_free_ns", soma_free_ns},
      {"launch_cold_ns", launch_cold_ns},
      {"launch_rate_1stream", launch_rate_1stream},
      {"launch_rate_8streams", launch_rate_8streams},
      {"launch_rate_64streams", launch_rate_64streams},
      {"launch_rate_512streams", launch_rate_512streams},
      {"launch_rate_8threads", launch_rate_8threads},
      {"callback_us", callback_us},
      {"callback_asleep_us", callback_asleep_us},
      {"sync_us", sync_us},
      {"sync_wake_us", sync_wake_us},
      {"idle_rss_MiB", idle_rss},
      {"memcpy_h2d_GBps", memcpy_h2d},
      {"memcpy_d2h_GBps", memcpy_d2h},
      {"memcpy_d2d_GBps", memcpy_d2d},
      {"memcpy_h2d64m_GBps", memcpy_h2d64m},
      {"memcpy_d2h64m_GBps", memcpy_d2h64m},
      {"memcpy_d2d64m_GBps", memcpy_d2d64m},
  };
  const double ns_per_tick = bench_ns_per_tick();
  for (int i = 1; i < argc; ++i) {
    bool found = false;
    for (const auto& benchmark : benchmarks) {
      if (std::strcmp(benchmark.name, argv[i]) == 0) {
        found = true;
        benchmark.run(ns_per_tick);
      }
    }
    if (!found) {
      std::fprintf(stderr, "device_bench: no benchmark is called %s\n", argv[i]);
      return 2;
    }
  }
  return 0;
}
