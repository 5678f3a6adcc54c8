// event_sync_same_ns, event_sync_other_ns, event_sync_over_line_ns: from the end of the task before a record in one
// stream to the start of the task behind the wait in another.
//
// Same executor: the process is bound to one core, and two streams hand over to each other by
// events, so that the only executor goes from one to the other. It is the mean of a chain, and the clock is
// read at both ends only: a reading takes 10 ns and more, some machines' clocks go by steps of 10 ns.
//
// Other core: the recording stream goes on with a task that keeps its executor until the waiting task
// has started, so another executor must have taken it. The stamps say which thread ran each task, and
// only pairs that were what they should be count.
#include "tests/bench/device/bench.h"
#include "tests/bench/device/stamp.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <thread>

namespace {

using canopy::bench::Stamp;

__global__ __aicore__ void event_gate(GM_ADDR gate, uint64_t round) {
  canopy::bench::pass_gate(reinterpret_cast<__gm__ uint64_t*>(gate), round);
}
CANOPY_KERNEL(event_gate)

__global__ __aicore__ void event_stamp(GM_ADDR stamp) {
  canopy::bench::take_stamp(reinterpret_cast<__gm__ Stamp*>(stamp));
}
CANOPY_KERNEL(event_stamp)

__global__ __aicore__ void event_mark(GM_ADDR stamp) {
  auto* mark = reinterpret_cast<__gm__ Stamp*>(stamp);
  mark->thread = canopy::bench::thread_id();
  ++mark->runs;
}
CANOPY_KERNEL(event_mark)

// Keeps its executor, without yielding, until the task that owns `stamp` has run `runs` times.
__global__ __aicore__ void event_hold(GM_ADDR stamp, uint64_t runs) {
  auto* other = reinterpret_cast<__gm__ Stamp*>(stamp);
  // Acquire: pairs with nothing that matters, it only keeps the load in the loop.
  while (std::atomic_ref(other->runs).load(std::memory_order_acquire) < runs) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}
CANOPY_KERNEL(event_hold)

}  // namespace

namespace canopy::bench {
namespace {

class Event {
 public:
  Event() {
    must(aclrtCreateEventExWithFlag(&event_, ACL_EVENT_SYNC), "aclrtCreateEventExWithFlag");
  }
  ~Event() { must(aclrtDestroyEvent(event_), "aclrtDestroyEvent"); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  // What `to` does after this call waits for what `from` has been given before it.
  void hand_over(const Stream& from, const Stream& to) {
    must(aclrtRecordEvent(event_, from), "aclrtRecordEvent");
    must(aclrtStreamWaitEvent(to, event_), "aclrtStreamWaitEvent");
  }

 private:
  aclrtEvent event_ = nullptr;
};

constexpr size_t kPairs = 32;  // few enough that all are queued before the gate opens

// Streams a and b, a gate, and the stamps of kPairs hand-overs from a to b.
struct Rig {
  Session session;
  Stream a;
  Stream b;
  HbmArray<Stamp> before{kPairs};
  HbmArray<Stamp> after{kPairs};
  HbmArray<uint64_t> gate{1};

  void stamp(const Stream& stream, HbmArray<Stamp>& stamps, size_t i) {
    must(canopy::launch(event_stamp, 1, stream, stamps.address(i)), "launch of event_stamp");
  }
  void close_gate(uint64_t round) {
    must(canopy::launch(event_gate, 1, a, gate.address(), round), "launch of event_gate");
  }
  void open_and_finish(uint64_t round) {
    open_gate(gate[0], round);
    a.synchronize();
    b.synchronize();
  }
};

// Adds the hand-overs of a round that went to another thread.
void collect(Rig& rig, uint64_t round, double ns_per_tick, std::vector<double>& samples) {
  for (size_t i = 0; i < kPairs; ++i) {
    expect_equal(rig.before[i].runs, round, "event_sync: runs of a recording task");
    expect_equal(rig.after[i].runs, round, "event_sync: runs of a waiting task");
    const auto ticks = static_cast<int64_t>(rig.after[i].start - rig.before[i].end);
    expect_equal(ticks < 0, 0, "event_sync: waiting tasks that did not wait");
    if (rig.before[i].thread != rig.after[i].thread) {
      samples.push_back(static_cast<double>(ticks) * ns_per_tick);
    }
  }
}

void finish(const char* name, std::vector<double>& samples, size_t rounds) {
  if (samples.size() < rounds * kPairs / 2) {
    std::fprintf(stderr,
                 "device_bench: %s: only %zu of %zu hand-overs ran on the executors they should\n",
                 name, samples.size(), rounds * kPairs);
    std::exit(1);
  }
  report(name, samples);
}

// One way of a cache line between two threads, as the cores lie now: a machine whose virtual cores move has
// several answers.
double line_way_ns(double ns_per_tick) {
  constexpr uint64_t kTrips = 500;
  alignas(64) std::atomic<uint64_t> line{0};
  std::jthread echo([&line] {
    for (uint64_t trip = 0; trip < kTrips; ++trip) {
      while (line.load(std::memory_order_acquire) != 2 * trip + 1) {
      }
      line.store(2 * trip + 2, std::memory_order_release);
    }
  });
  std::vector<double> trips;
  for (uint64_t trip = 0; trip < kTrips; ++trip) {
    const uint64_t start = bench_ticks();
    line.store(2 * trip + 1, std::memory_order_release);
    while (line.load(std::memory_order_acquire) != 2 * trip + 2) {
    }
    trips.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / 2);
  }
  std::nth_element(trips.begin(), trips.begin() + kTrips / 2, trips.end());
  return trips[kTrips / 2];
}

// What the stamps of a hand-over would say with nothing between them. The mean, as clocks have steps.
double clock_itself_ns(double ns_per_tick) {
  constexpr int kReadings = 1000;
  std::vector<double> readings;
  for (int i = 0; i < kReadings; ++i) {
    const uint64_t end = bench_ticks();
    readings.push_back(static_cast<double>(bench_ticks_behind() - end) * ns_per_tick);
  }
  std::sort(readings.begin(), readings.end());
  constexpr int kUsual = kReadings * 9 / 10;  // no interruption is among them
  return std::accumulate(readings.begin(), readings.begin() + kUsual, 0.0) / kUsual;
}

// Before the runtime starts its threads, which inherit it.
void use_one_core() {
  cpu_set_t allowed;
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  int core = 0;
  while (!CPU_ISSET(core, &allowed)) {
    ++core;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

}  // namespace

void event_sync_same_ns(double ns_per_tick) {
  use_one_core();
  Rig rig;
  std::vector<Event> there(kPairs);
  std::vector<Event> back(kPairs);
  std::vector<double> samples;
  const size_t rounds = bench_repeats(200);
  for (uint64_t round = 1; round <= rounds; ++round) {
    rig.close_gate(round);
    for (size_t i = 0; i < kPairs; ++i) {
      const auto first = i == 0 ? event_stamp : event_mark;
      must(canopy::launch(first, 1, rig.a, rig.before.address(i)), "launch of a recording task");
      there[i].hand_over(rig.a, rig.b);
      const auto last = i + 1 == kPairs ? event_stamp : event_mark;
      must(canopy::launch(last, 1, rig.b, rig.after.address(i)), "launch of a waiting task");
      back[i].hand_over(rig.b, rig.a);  // else a would go on with its next task first
    }
    rig.open_and_finish(round);
    for (size_t i = 0; i < kPairs; ++i) {
      for (const Stamp& stamp : {rig.before[i], rig.after[i]}) {
        expect_equal(stamp.runs, round, "event_sync_same_ns: runs of a task");
        expect_equal(stamp.thread, rig.before[0].thread, "event_sync_same_ns: the thread of a task");
      }
    }
    constexpr double kHandOvers = 2 * kPairs - 1;
    samples.push_back(static_cast<double>(rig.after[kPairs - 1].start - rig.before[0].end) * ns_per_tick / kHandOvers);
  }
  report("event_sync_same_ns", samples);
}

namespace {

void hand_over_to_other_core(const char* name, bool less_what_must_be, double ns_per_tick) {
  constexpr size_t kRoundsPerLook = 10;
  Rig rig;
  std::vector<Event> there(kPairs);
  std::vector<double> samples;
  double must_be_ns = 0;
  const size_t rounds = bench_repeats(200);
  for (uint64_t round = 1; round <= rounds; ++round) {
    if (less_what_must_be && round % kRoundsPerLook == 1) {
      must_be_ns = line_way_ns(ns_per_tick) + clock_itself_ns(ns_per_tick);
    }
    const size_t known = samples.size();
    rig.close_gate(round);
    for (size_t i = 0; i < kPairs; ++i) {
      rig.stamp(rig.a, rig.before, i);
      there[i].hand_over(rig.a, rig.b);
      rig.stamp(rig.b, rig.after, i);
      must(canopy::launch(event_hold, 1, rig.a, rig.after.address(i), round),
           "launch of event_hold");
    }
    rig.open_and_finish(round);
    collect(rig, round, ns_per_tick, samples);
    for (size_t i = known; i < samples.size(); ++i) {
      samples[i] -= must_be_ns;
    }
  }
  finish(name, samples, rounds);
}

}  // namespace

void event_sync_other_ns(double ns_per_tick) {
  hand_over_to_other_core("event_sync_other_ns", false, ns_per_tick);
}

void event_sync_over_line_ns(double ns_per_tick) {
  hand_over_to_other_core("event_sync_over_line_ns", true, ns_per_tick);
}

}  // namespace canopy::bench
