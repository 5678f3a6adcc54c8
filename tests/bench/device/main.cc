// device_bench NAME...: the benchmarks of the device runtime; each prints one RESULT line.
#include "tests/bench/device/bench.h"
#include "tests/bench/support/named.h"

int main(int argc, char** argv) {
  using namespace canopy::bench;
  const NamedBenchmark benchmarks[] = {
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
      {"launch_ns_8streams", launch_ns_8streams},
      {"launch_ns_64streams", launch_ns_64streams},
      {"launch_ns_512streams", launch_ns_512streams},
      {"task_ns_1stream", task_ns_1stream},
      {"task_ns_8streams", task_ns_8streams},
      {"task_ns_64streams", task_ns_64streams},
      {"task_ns_512streams", task_ns_512streams},
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
  return run_named("device_bench", benchmarks, argc, argv);
}
