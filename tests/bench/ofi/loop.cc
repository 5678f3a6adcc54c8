// The network benchmarks' measuring, one source for both sides. Usage: NAME..., under mpirun with
// two PEs. PE 0 measures and prints; PE 1 is the target, serves, and checks what arrived.
#include "launcher/bootstrap/bootstrap.h"
#include "runtime/base/cache_line.h"
#include "runtime/base/mapping.h"
#include "tests/bench/ofi/side.h"
#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <vector>

namespace canopy::bench {
namespace {

constexpr size_t kMegabyte = 1 << 20;
// Where things lie in each PE's memory.
constexpr uint64_t kWord = 0;
constexpr uint64_t kStop = 64;
constexpr uint64_t kWords = 4096;
constexpr uint64_t kRegion = 65536;
constexpr size_t kLargest = 64 * kMegabyte;
constexpr size_t kBytes = kRegion + kLargest;

struct Run {
  NetworkSide& side;
  Bootstrap& job;
  std::byte* memory;
  double ns_per_tick;
  uint64_t stops = 0;

  bool measures() const { return job.pe() == 0; }
  uint64_t word(uint64_t at) const {
    return load_acquire(reinterpret_cast<uint64_t*>(memory + at));
  }
  double elapsed_ns(uint64_t start) const {
    return static_cast<double>(bench_ticks() - start) * ns_per_tick;
  }
};

void check(bool holds, const char* name, const char* what) {
  if (!holds) {
    give_up(fmt::format("{}: {}", name, what));
  }
}

// PE 0 measures `batches` of `ops` calls while PE 1 serves; then PE 1 checks its memory.
void measure(Run& run, const char* name, bool is_rate, size_t batches, double per_batch,
             const std::function<void(size_t batch)>& batch,
             const std::function<void()>& check_target) {
  ++run.stops;
  if (!run.measures()) {
    run.side.serve_until(kStop, run.stops);
    check_target();
    return;
  }
  std::vector<double> samples;
  for (size_t b = 0; b < batches + 1; ++b) {  // the first one warms up, and connects
    const uint64_t start = bench_ticks();
    batch(b);
    const double ns = run.elapsed_ns(start);
    if (b > 0) {
      samples.push_back(is_rate ? per_batch / ns : ns / per_batch);
    }
  }
  run.side.put(kStop, &run.stops, sizeof run.stops);
  run.side.quiet();
  bench_report(name, samples.data(), samples.size(), is_rate ? 1 : 0);
}

void put8(Run& run, const char* name) {
  constexpr size_t kOps = 100;
  const size_t batches = bench_repeats(200);
  const uint64_t last = (batches + 1) * kOps;
  uint64_t value = 0;
  measure(
      run, name, false, batches, kOps * 1000.0,
      [&](size_t) {
        for (size_t i = 0; i < kOps; ++i) {
          ++value;
          run.side.put(kWord, &value, sizeof value);
          run.side.quiet();
        }
      },
      [&] { check(run.word(kWord) == last, name, "the last value did not arrive"); });
}

void get8(Run& run, const char* name) {
  constexpr size_t kOps = 100;
  store_release(reinterpret_cast<uint64_t*>(run.memory + kWords), 4711);
  if (!run.job.barrier()) {
    give_up(error_text::newest());
  }
  measure(
      run, name, false, bench_repeats(200), kOps * 1000.0,
      [&](size_t) {
        for (size_t i = 0; i < kOps; ++i) {
          uint64_t value = 0;
          run.side.get(&value, kWords, sizeof value);
          check(value == 4711, name, "another value than the target's came");
        }
      },
      [] {});
}

// `bytes` at a time, 8 MiB or one of them a batch.
template <size_t bytes>
constexpr size_t kOpsPerBatch = bytes >= 8 * kMegabyte ? 1 : 8 * kMegabyte / bytes;

template <size_t bytes>
void large_put(Run& run, const char* name) {
  constexpr size_t kOps = kOpsPerBatch<bytes>;
  const size_t batches = bench_repeats(40);
  std::vector<unsigned char> src(bytes, 1);
  uint64_t round = 0;
  measure(
      run, name, true, batches, static_cast<double>(kOps * bytes),
      [&](size_t) {
        for (size_t i = 0; i < kOps; ++i) {
          ++round;
          std::memcpy(src.data() + bytes - sizeof round, &round, sizeof round);
          run.side.put(kRegion, src.data(), bytes);
          run.side.quiet();
        }
      },
      [&] {
        round = (batches + 1) * kOps;
        std::memcpy(src.data() + bytes - sizeof round, &round, sizeof round);
        check(std::memcmp(src.data(), run.memory + kRegion, bytes) == 0, name,
              "the region differs from the last put");
      });
}

template <size_t bytes>
void large_get(Run& run, const char* name) {
  constexpr size_t kOps = kOpsPerBatch<bytes>;
  std::vector<unsigned char> dst(bytes);
  std::memset(run.memory + kRegion, 0x5A, bytes);
  if (!run.job.barrier()) {
    give_up(error_text::newest());
  }
  measure(
      run, name, true, bench_repeats(40), static_cast<double>(kOps * bytes),
      [&](size_t) {
        for (size_t i = 0; i < kOps; ++i) {
          dst[bytes - 1] = 0;
          run.side.get(dst.data(), kRegion, bytes);
          check(dst[0] == 0x5A && dst[bytes - 1] == 0x5A, name, "not the target's bytes came");
        }
      },
      [] {});
}

void rate8(Run& run, const char* name) {
  constexpr size_t kOps = 1000;
  const size_t batches = bench_repeats(100);
  std::vector<uint64_t> values(kOps);
  measure(
      run, name, true, batches, kOps * 1000.0,  // millions a second
      [&](size_t batch) {
        for (size_t i = 0; i < kOps; ++i) {
          values[i] = batch * kOps + i;
          run.side.post_put(kWords + 8 * i, &values[i], sizeof values[i]);
        }
        run.side.quiet();
      },
      [&] {
        for (size_t i = 0; i < kOps; ++i) {
          check(run.word(kWords + 8 * i) == batches * kOps + i, name, "a put is missing");
        }
      });
}

void amo(Run& run, const char* name) {
  constexpr size_t kOps = 100;
  const size_t batches = bench_repeats(200);
  store_release(reinterpret_cast<uint64_t*>(run.memory + kWord), 0);
  if (!run.job.barrier()) {
    give_up(error_text::newest());
  }
  uint64_t next = 0;
  measure(
      run, name, false, batches, kOps * 1000.0,
      [&](size_t) {
        for (size_t i = 0; i < kOps; ++i) {
          check(run.side.fetch_add(kWord) == next++, name, "a fetch returned another value");
        }
      },
      [&] { check(run.word(kWord) == (batches + 1) * kOps, name, "the sum is wrong"); });
}

// What a barrier of four cannot do without: two messages to and fro, one with each of two others, while all
// four do the same. Of each pair the lower one asks and the other answers.
void two_round_trips(Bootstrap& job, const char* name) {
  constexpr uint64_t kOps = 100;
  const size_t batches = bench_repeats(100);
  const int me = job.pe();
  struct Link {
    int with;
    Mapping memory;
    std::unique_ptr<NetworkSide> side;
  };
  std::vector<Link> links;
  for (const int distance : {1, 2}) {
    auto memory = Mapping::anonymous(kBytes);
    if (!memory) {
      give_up(error_text::newest());
    }
    std::memset(memory->base(), 0, kBytes);
    auto side = make_side(memory->base(), kBytes);
    const auto cards = job.exchange(side->address());
    if (!cards) {
      give_up(error_text::newest());
    }
    side->connect((*cards)[static_cast<size_t>(me ^ distance)]);
    links.push_back({me ^ distance, std::move(*memory), std::move(side)});
  }
  std::vector<double> samples;
  uint64_t round = 0;
  for (size_t b = 0; b < batches + 1; ++b) {  // the first one warms up, and connects
    const uint64_t start = bench_ticks();
    for (uint64_t i = 0; i < kOps; ++i) {
      ++round;
      for (const Link& link : links) {
        if (me > link.with) {
          link.side->serve_until(kWord, round);
        } else {
          check(link.side->fetch_add(kWord) == round - 1, name, "a message came twice or not at all");
        }
      }
    }
    if (b > 0) {
      samples.push_back(static_cast<double>(bench_ticks() - start) * bench_ns_per_tick() / kOps / 1000);
    }
  }
  if (!job.barrier()) {  // nobody goes while another one still has a reply under way
    give_up(error_text::newest());
  }
  if (me == 0) {
    bench_report(name, samples.data(), samples.size(), 0);
  }
}

const std::map<std::string_view, void (*)(Run&, const char*)> kBenchmarks = {
    {"ofi_put8_us", put8},
    {"ofi_get8_us", get8},
    {"ofi_put1m_GBps", large_put<kMegabyte>},
    {"ofi_get1m_GBps", large_get<kMegabyte>},
    {"ofi_put64m_GBps", large_put<kLargest>},
    {"ofi_get64m_GBps", large_get<kLargest>},
    {"ofi_rate8_Mps", rate8},
    {"ofi_amo_us", amo},
};

}  // namespace

void give_up(const std::string& sentence) {
  std::fprintf(stderr, "network benchmark: %s\n", sentence.c_str());
  std::_Exit(1);
}

int run_benchmarks(int argc, char** argv) {
  auto job = Bootstrap::create();
  if (job && (*job)->n_pes() == 4 && argc == 2 && std::strcmp(argv[1], "ofi_barrier_us") == 0) {
    two_round_trips(**job, argv[1]);
    return (*job)->finalize() ? 0 : 1;
  }
  if (!job || (*job)->n_pes() != 2) {
    give_up(job ? "start it with mpirun -n 2" : error_text::newest());
  }
  auto memory = Mapping::anonymous(kBytes);
  if (!memory) {
    give_up(error_text::newest());
  }
  std::memset(memory->base(), 0, kBytes);
  auto side = make_side(memory->base(), kBytes);
  auto cards = (*job)->exchange(side->address());
  if (!cards) {
    give_up(error_text::newest());
  }
  side->connect((*cards)[static_cast<size_t>(1 - (*job)->pe())]);
  Run run{*side, **job, memory->base(), bench_ns_per_tick()};
  for (int i = 1; i < argc; ++i) {
    const auto found = kBenchmarks.find(argv[i]);
    if (found == kBenchmarks.end()) {
      give_up(fmt::format("no benchmark is called {}", argv[i]));
    }
    if (!(*job)->barrier()) {
      give_up(error_text::newest());
    }
    found->second(run, argv[i]);
  }
  if (!(*job)->barrier()) {
    give_up(error_text::newest());
  }
  side.reset();
  return (*job)->finalize() ? 0 : 1;
}

}  // namespace canopy::bench

int main(int argc, char** argv) { return canopy::bench::run_benchmarks(argc, argv); }
