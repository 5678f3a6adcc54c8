// idle_cpu, idle_rss_MiB: what a process with 8 devices open and nothing queued burns of a core, and keeps of memory.
#include "canopy/kernel.h"
#include "tests/bench/device/bench.h"

#include <poll.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace {
__global__ __aicore__ void idle_touch(GM_ADDR word) {
  *reinterpret_cast<__gm__ uint64_t*>(word) = 1;
}
CANOPY_KERNEL(idle_touch)
}  // namespace

namespace canopy::bench {
namespace {

constexpr int32_t kDevices = 8;

// utime + stime of this process, in clock ticks (fields 14 and 15 of /proc/self/stat).
uint64_t cpu_clock_ticks() {
  std::ifstream stat("/proc/self/stat");
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));  // the name may hold blanks
  std::string skipped;
  for (int field = 3; field < 14; ++field) {
    fields >> skipped;
  }
  uint64_t user = 0;
  uint64_t system = 0;
  if (!(fields >> user >> system)) {
    std::fprintf(stderr, "device_bench: idle_cpu: /proc/self/stat is not as expected: %s\n",
                 text.c_str());
    std::exit(1);
  }
  return user + system;
}

// Every device has worked once: it is idle, not merely unused.
void open_all_devices() {
  for (int32_t device = 0; device < kDevices; ++device) {
    must(aclrtSetDevice(device), "aclrtSetDevice of one of 8 devices");
    Stream stream;
    HbmArray<uint64_t> word(1);
    must(canopy::launch(idle_touch, 1, stream, word.address()), "launch of idle_touch");
    stream.synchronize();
    expect_equal(word[0], 1, "idle_cpu: the word that a device was to write");
  }
}

void pass_time(int ms) { ::poll(nullptr, 0, ms); }

}  // namespace

void idle_cpu(double) {
  Session session;
  open_all_devices();
  pass_time(200);  // until threads that look for more work have gone to sleep
  const int span_ms = std::getenv("CANOPY_BENCH_QUICK") == nullptr ? 3000 : 300;
  const uint64_t start = cpu_clock_ticks();
  pass_time(span_ms);
  const double busy_ms = static_cast<double>(cpu_clock_ticks() - start) * 1e3 /
                         static_cast<double>(::sysconf(_SC_CLK_TCK));
  std::vector<double> samples = {100 * busy_ms / span_ms};
  report("idle_cpu", samples);
}

// With its threads, rings and libraries; of the devices' memory what has been touched.
void idle_rss(double) {
  Session session;
  open_all_devices();
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  uint64_t resident = 0;
  if (!(statm >> pages >> resident)) {
    std::fprintf(stderr, "device_bench: idle_rss_MiB: /proc/self/statm is not as expected\n");
    std::exit(1);
  }
  std::vector<double> samples = {static_cast<double>(resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))) /
                                 (1 << 20)};
  report("idle_rss_MiB", samples);
}

}  // namespace canopy::bench
