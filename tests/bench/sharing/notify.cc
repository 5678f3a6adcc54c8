// ipc_notify_us, ipc_notify_asleep_us: from the end of the task before a record in one process to
// the start of the task behind the wait in another, on two cards. Awake: two streams hand over to
// each other, there and back, all queued ahead. Asleep: the waiting process has had nothing to do
// for 2 ms.
#include "tests/bench/device/stamp.h"
#include "tests/bench/sharing/sharing.h"

namespace {

using canopy::bench::Stamp;

__global__ __aicore__ void notify_stamp(GM_ADDR stamp) {
  canopy::bench::take_stamp(reinterpret_cast<Stamp*>(stamp));
}
CANOPY_KERNEL(notify_stamp)

__global__ __aicore__ void notify_gate(GM_ADDR gate, uint64_t round) {
  canopy::bench::pass_gate(reinterpret_cast<uint64_t*>(gate), round);
}
CANOPY_KERNEL(notify_gate)

}  // namespace

namespace canopy::bench {
namespace {

constexpr size_t kTurns = 400;  // few enough that all are queued before the gate opens; most of them after hosts have gone to sleep
constexpr uint64_t kIdleNs = 2'000'000;

// In memory that both processes have had since before their runtimes: stamps are not what is
// measured.
struct Stamps {
  Stamp there[kTurns];
  Stamp back[kTurns];
  uint64_t gate;
};

void stamp(const Stream& stream, Stamp& at) {
  must(canopy::launch(notify_stamp, 1, stream, reinterpret_cast<GM_ADDR>(&at)),
       "launch of notify_stamp");
}

// One process's half: a notify of its own, and the other's.
struct Half {
  Session session;
  Stream stream;
  OwnNotify own;
  PeerNotify peer;

  Half(Line& line, int device) : session(device), peer(exchange(line)) {}

 private:
  Key exchange(Line& line) {
    line.say(own.key());
    return line.hear<Key>();
  }
};

// Ends of both halves in an order in which nobody records a notify that is gone.
void leave_together(Line& line) {
  line.say();
  line.hear();
}

double us_between(const Stamp& before, const Stamp& after, double ns_per_tick) {
  return static_cast<double>(static_cast<int64_t>(after.start - before.end)) * ns_per_tick / 1e3;
}

// One batch of the process that begins: stamps, records, waits for the answer, kTurns times.
void lead(Half& half, Line& line, Stamps& stamps, uint64_t batch) {
  must(canopy::launch(notify_gate, 1, half.stream, reinterpret_cast<GM_ADDR>(&stamps.gate), batch),
       "launch of notify_gate");
  for (Stamp& at : stamps.there) {
    stamp(half.stream, at);
    half.peer.record(half.stream);
    half.own.wait(half.stream);
  }
  line.hear();  // the other process has queued its half
  open_gate(stamps.gate, batch);
  half.stream.synchronize();
  line.hear();
}

void follow(Half& half, Line& line, Stamps& stamps) {
  for (Stamp& at : stamps.back) {
    half.own.wait(half.stream);
    stamp(half.stream, at);
    half.peer.record(half.stream);
  }
  line.say();
  half.stream.synchronize();
  line.say();
}

}  // namespace

void ipc_notify_us(double ns_per_tick) {
  auto& stamps = in_both<Stamps>();
  const uint64_t batches = bench_repeats(100);
  std::vector<double> samples;
  run_pair(
      true,
      [&](Line& line) {
        Half half(line, 0);
        for (uint64_t batch = 1; batch <= batches + 2; ++batch) {
          lead(half, line, stamps, batch);
          for (size_t i = 0; i < kTurns; ++i) {
            expect_equal(stamps.there[i].runs, batch, "turns there");
            expect_equal(stamps.back[i].runs, batch, "turns back");
            if (batch > 2 && i > 0) {  // the first turn finds the other asleep
              samples.push_back(us_between(stamps.there[i], stamps.back[i], ns_per_tick));
              samples.push_back(us_between(stamps.back[i - 1], stamps.there[i], ns_per_tick));
            }
          }
        }
        leave_together(line);
      },
      [&](Line& line) {
        Half half(line, 1);
        for (uint64_t batch = 1; batch <= batches + 2; ++batch) {
          follow(half, line, stamps);
        }
        leave_together(line);
      });
  report("ipc_notify_us", samples);
}

void ipc_notify_asleep_us(double ns_per_tick) {
  auto& stamps = in_both<Stamps>();
  const uint64_t rounds = bench_repeats(500);
  std::vector<double> samples;
  run_pair(
      true,
      [&](Line& line) {
        Half half(line, 0);
        for (uint64_t round = 1; round <= rounds; ++round) {
          line.hear();
          const uint64_t until = bench_monotonic_ns() + kIdleNs;
          while (bench_monotonic_ns() < until) {
          }
          stamp(half.stream, stamps.there[0]);
          half.peer.record(half.stream);
          half.stream.synchronize();
          line.hear();
          expect_equal(stamps.back[0].runs, round, "waits that ended");
          samples.push_back(us_between(stamps.there[0], stamps.back[0], ns_per_tick));
        }
        leave_together(line);
      },
      [&](Line& line) {
        Half half(line, 1);
        for (uint64_t round = 1; round <= rounds; ++round) {
          half.own.wait(half.stream);
          stamp(half.stream, stamps.back[0]);
          line.say();
          half.stream.synchronize();
          line.say();
        }
        leave_together(line);
      });
  report("ipc_notify_asleep_us", samples);
}

}  // namespace canopy::bench
