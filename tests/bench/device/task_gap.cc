// task_gap_ns: from the end of one task to the start of the next in a stream that has them all
// queued. The figure contains one read of the cycle counter, about 10 ns, and what the task's entry takes from the core
// of the host that has queued it.
#include "tests/bench/device/bench.h"
#include "tests/bench/device/stamp.h"

namespace {

using canopy::bench::Stamp;

// Fetches the lines of the stamps from the core of the host, which has read them: the tasks' own stores are not to wait for that.
__global__ __aicore__ void gap_gate(GM_ADDR gate, uint64_t round, GM_ADDR stamps, uint64_t count) {
  canopy::bench::pass_gate(reinterpret_cast<__gm__ uint64_t*>(gate), round);
  for (uint64_t i = 0; i < count; ++i) {
    // Relaxed: nothing is told, the line is this core's afterwards.
    std::atomic_ref(reinterpret_cast<__gm__ Stamp*>(stamps)[i].runs).fetch_add(0, std::memory_order_relaxed);
  }
}
CANOPY_KERNEL(gap_gate)

__global__ __aicore__ void gap_stamp(GM_ADDR stamp) {
  canopy::bench::take_stamp(reinterpret_cast<__gm__ Stamp*>(stamp));
}
CANOPY_KERNEL(gap_stamp)

}  // namespace

namespace canopy::bench {

void task_gap_ns(double ns_per_tick) {
  constexpr size_t kTasks = 256;
  Session session;
  Stream stream;
  HbmArray<Stamp> stamps(kTasks);
  HbmArray<uint64_t> gate(1);
  std::vector<double> samples;
  const size_t rounds = bench_repeats(100);
  for (uint64_t round = 1; round <= rounds; ++round) {
    must(canopy::launch(gap_gate, 1, stream, gate.address(), round, stamps.address(), uint64_t{kTasks}), "launch of gap_gate");
    for (size_t i = 0; i < kTasks; ++i) {
      must(canopy::launch(gap_stamp, 1, stream, stamps.address(i)), "launch of gap_stamp");
    }
    open_gate(gate[0], round);
    stream.synchronize();
    for (size_t i = 0; i < kTasks; ++i) {
      expect_equal(stamps[i].runs, round, "task_gap_ns: runs of a task");
      if (i > 0) {
        const auto gap = static_cast<int64_t>(stamps[i].start - stamps[i - 1].end);
        if (gap < 0) {
          expect_equal(1, 0, "task_gap_ns: tasks that started before the one ahead had ended");
        }
        samples.push_back(static_cast<double>(gap) * ns_per_tick);
      }
    }
  }
  report("task_gap_ns", samples);
}

}  // namespace canopy::bench
