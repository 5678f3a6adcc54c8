#include "tests/bench/harness/entry.h"

#include <string_view>

namespace canopy::bench {
namespace {

constexpr const char* kOpenMpi = "OpenMPI OSHMEM";

// OpenMPI's SHMEM as fast as it gets on one host: shared memory transports only. Without the memory
// hooks switched off it crashes in shmem_finalize.
Program oshmem(std::string name, int pes) {
  return Program{std::move(name),
                 {},
                 pes,
                 {{"UCX_TLS", "posix,cma,self"}},
                 {"--mca", "opal_common_ucx_opal_mem_hooks", "0"},
                 0,
                 ""};
}

// Every collective of shmem_collectives.c at every size, by `pes` PEs. With more than two the names say how many.
Entry collective_entry(int pes) {
  std::vector<Metric> metrics;
  for (const char* collective : {"fcollect", "reduce", "broadcast", "alltoall"}) {
    for (const char* size : {"8", "1k", "64k", "1m"}) {
      const bool small = std::string_view(size) == "8" || std::string_view(size) == "1k";
      const std::string plain = fmt::format("{}_{}", collective, size);
      const std::string name = pes == 2 ? plain + "_ns" : fmt::format("{}_{}pes_ns", plain, pes);
      metrics.push_back(printed_as(beats_peer(name, "ns", small ? 1.5 : 1.2), plain + "_ns"));
    }
  }
  return {std::move(metrics), {"shmem_collectives", {}, pes}, oshmem("oshmem_collectives", pes), kOpenMpi};
}

// Both sides' name for one program: `shmem_` and `oshmem_`.
Entry both(std::vector<Metric> metrics, const std::string& program, int pes) {
  return {std::move(metrics), {"shmem_" + program, {}, pes}, oshmem("oshmem_" + program, pes), kOpenMpi};
}

std::vector<Entry> copy_entries() {
  Metric memcpy_rate = rate(plain("put1m_over_memcpy_GBps", "GB/s"));
  memcpy_rate.printed_as = "put1m_GBps";
  return {
      both({beats_peer("put8_ns", "ns", 2), beats_peer("get8_ns", "ns", 2)}, "bench", 2),
      both({rate(beats_peer("put_rate8_Mps", "M/s", 3)), beats_peer("put1k_ns", "ns", 1.3), beats_peer("get1k_ns", "ns", 1.3)},
           "copies", 2),
      both({rate(beats_peer("put64k_GBps", "GB/s", 1)), rate(beats_peer("get64k_GBps", "GB/s", 1)),
            rate(beats_peer("put1m_GBps", "GB/s", 1.2)), rate(beats_peer("get1m_GBps", "GB/s", 1.2))},
           "copies", 2),
      both({rate(beats_peer("put16m_GBps", "GB/s", 1.2)), rate(beats_peer("get16m_GBps", "GB/s", 1.2)),
            rate(beats_peer("put64m_GBps", "GB/s", 1.2)), rate(beats_peer("get64m_GBps", "GB/s", 1.2))},
           "copies", 2),
      {{memcpy_rate}, {"shmem_bench", {}, 2}, {"memcpy_bench"}, "memcpy to shared memory"},
  };
}

// The peer's fetching and, or and xor return wrong values, which ends its run: those have a limit instead.
std::vector<Entry> amo_entries() {
  std::vector<Metric> shared;
  for (const char* name : {"amo_fadd_ns", "amo_add_ns", "amo_cas_ns", "amo_and_ns", "amo_or_ns", "amo_xor_ns"}) {
    shared.push_back(beats_peer(name, "ns", 2));
  }
  std::vector<Metric> alone;
  for (const char* name : {"amo_fetch_and_ns", "amo_fetch_or_ns", "amo_fetch_xor_ns"}) {
    alone.push_back(limited(name, "ns", 8));
  }
  return {both(std::move(shared), "amos", 2), {std::move(alone), {"shmem_amos", {}, 2}, {}, ""}};
}

// Against the peer, and against the least that processes which share memory need.
std::vector<Entry> barrier_entries() {
  std::vector<Entry> entries;
  for (const int pes : {2, 4, 8}) {
    const std::string name = fmt::format("barrier{}_ns", pes);
    entries.push_back(both({beats_peer(name, "ns", pes == 2 ? 2.5 : 1.5)}, "bench", pes));
    Metric bare = printed_as(beats_peer(fmt::format("barrier{}_over_bare_ns", pes), "ns", 1 / 1.3), name);
    entries.push_back({{std::move(bare)}, {"shmem_bench", {}, pes}, {"bare_barrier_bench"}, "words in shared memory"});
  }
  return entries;
}

// The whole job, beside the peer's and beside a job that does nothing.
std::vector<Entry> start_entries() {
  const auto start = [](int pes, Metric metric, Program peer, const std::string& peer_name, size_t rounds) {
    Program ours{"shmem_start", {}, pes, {}, {}, 0, metric.name};
    peer.wall_clock_metric = metric.name;
    return Entry{{std::move(metric)}, std::move(ours), std::move(peer), peer_name, rounds};
  };
  const auto bare = [](int pes) { return Program{"/bin/true", {}, pes}; };
  return {
      start(2, beats_peer("job_start_ms", "ms", 6), oshmem("oshmem_start", 2), kOpenMpi, 0),
      start(2, close_to_peer("job_start_over_true_ms", "ms", 25), bare(2), "mpirun /bin/true", 0),
      start(16, beats_peer("job_start16_ms", "ms", 20), oshmem("oshmem_start", 16), kOpenMpi, 5),
      start(16, plain("job_start16_over_true_ms", "ms"), bare(16), "mpirun /bin/true", 5),
  };
}

// examples/openshmem. Small enough that communication counts.
std::vector<Entry> program_entries() {
  const std::vector<std::pair<std::string, std::vector<std::string>>> programs = {
      {"sort", {"--keys", "65536", "--range", "65536", "--rounds", "51"}},
      {"histogram", {"--rounds", "21"}},
      {"index_gather", {"--rounds", "21"}},
      {"stencil", {"--n", "128", "--steps", "500", "--rounds", "21"}},
      {"transpose", {"--rows", "128", "--rounds", "401"}},
  };
  std::vector<Entry> entries;
  for (const int pes : {2, 4}) {
    for (const auto& [program, arguments] : programs) {
      Entry entry = both({beats_peer(fmt::format("program_{}_{}pes_ms", program, pes), "ms", 1)}, program, pes);
      for (Program* side : {&entry.ours, &entry.peer}) {
        side->args = arguments;
        side->args.push_back("--result");
      }
      entry.mean = fmt::format("programs_{}pes", pes);
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

}  // namespace

std::vector<Entry> shmem_entries() {
  std::vector<Entry> entries;
  for (auto more : {copy_entries, amo_entries, barrier_entries, start_entries, program_entries}) {
    for (Entry& entry : more()) {
      entries.push_back(std::move(entry));
    }
  }
  for (const int pes : {2, 4, 8}) {
    entries.push_back(collective_entry(pes));
  }
  return entries;
}

}  // namespace canopy::bench
