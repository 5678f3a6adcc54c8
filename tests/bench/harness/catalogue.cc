#include "tests/bench/harness/catalogue.h"

#include "runtime/base/env.h"
#include "tests/bench/harness/child.h"
#include "tests/bench/harness/entry.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

namespace canopy::bench {
namespace {

std::vector<Entry> task_entries() {
  Metric other_core = plain("event_sync_other_ns", "ns");
  other_core.p99_limit = 600;
  const Program device{"device_bench"};
  const auto alone = [&](Metric metric) { return Entry{{std::move(metric)}, device, {}, ""}; };
  return {
      {{limited("launch_ns", "ns", 100)}, device, {"tbb_bench"}, "oneTBB task_group::run"},
      {{printed_as(limited("launch_opencl_ns", "ns", 100), "launch_ns")},
       device,
       {"opencl_bench"},
       "OpenCL clEnqueueNDRangeKernel"},
      alone(plain("launch_cold_ns", "ns")),
      {{rate(limited("launch_rate", "M/s", 10))},
       device,
       {"tbb_bench"},
       "oneTBB task_group end to end"},
      {{printed_as(rate(limited("launch_opencl_rate", "M/s", 10)), "launch_rate")},
       device,
       {"opencl_bench"},
       "OpenCL in-order queue end to end"},
      alone(rate(limited("launch_rate_8threads", "M/s", 10))),
      alone(rate(plain("launch_rate_1stream", "M/s"))),
      alone(rate(plain("launch_rate_8streams", "M/s"))),
      alone(rate(plain("launch_rate_64streams", "M/s"))),
      alone(rate(plain("launch_rate_512streams", "M/s"))),
      alone(plain("launch_ns_8streams", "ns")),
      alone(plain("launch_ns_64streams", "ns")),
      alone(plain("launch_ns_512streams", "ns")),
      alone(plain("task_ns_1stream", "ns")),
      alone(plain("task_ns_8streams", "ns")),
      alone(plain("task_ns_64streams", "ns")),
      alone(plain("task_ns_512streams", "ns")),
      alone(limited("launch_sync_us", "us", 2)),
      {{plain("launch_sync_asleep_us", "us")}, device, {"wake_bench"}, "futex wake and answer"},
      alone(limited("task_gap_ns", "ns", 50)),
      alone(limited("event_sync_same_ns", "ns", 40)),
      alone(other_core),
      alone(limited("event_sync_over_line_ns", "ns", 60)),
      alone(limited("blocks48_us", "us", 8)),
      alone(limited("callback_us", "us", 0.5)),
      {{plain("callback_asleep_us", "us")}, device, {"wake_bench"}, "futex wake and answer"},
      alone(limited("sync_us", "us", 0.1)),
      {{beats_peer("sync_wake_us", "us", 1 / 1.5)}, device, {"wake_bench"}, "futex wake"},
  };
}

std::vector<Entry> memory_entries() {
  const Program device{"device_bench"};
  const auto allocation = [&](Metric metric) {
    return Entry{{std::move(metric)}, device, {"malloc_bench"}, "jemalloc"};
  };
  const auto copy = [&](const char* name, double ratio) {
    return Entry{{rate(beats_peer(name, "GB/s", ratio))}, device, {"memcpy_bench"}, "memcpy"};
  };
  // Three seconds each, and nothing that varies: three rounds tell.
  const auto idle = [](Metric metric) {
    return Entry{{std::move(metric)},
                 {"device_bench", {}, 0, {{"CANOPY_SOC_SPEC", "atlas-800t-a2"}}, {}, 0, ""},
                 {},
                 "",
                 3};
  };
  return {
      allocation(limited("malloc_ns", "ns", 200)),
      {{limited("malloc64m_us", "us", 20)}, device, {}, ""},
      allocation(limited("soma_malloc_ns", "ns", 1000)),
      allocation(limited("soma_free_ns", "ns", 1000)),
      copy("memcpy_h2d_GBps", 0.95),
      copy("memcpy_d2h_GBps", 0.95),
      copy("memcpy_d2d_GBps", 0.95),
      copy("memcpy_h2d64m_GBps", 1.3),
      copy("memcpy_d2h64m_GBps", 1.3),
      copy("memcpy_d2d64m_GBps", 1.3),
      idle(limited("idle_cpu", "%", 0)),
      idle(limited("idle_rss_MiB", "MiB", 64)),
  };
}

// Two processes of one host: each program forks its second one.
std::vector<Entry> sharing_entries() {
  const Program ours{"sharing_bench"};
  const auto bare = [&](Metric metric, const char* peer_name) {
    return Entry{{std::move(metric)}, ours, {"bare_sharing_bench"}, peer_name};
  };
  Metric import = limited("ipc_import_us", "us", 100);
  import.ratio_limit = 1.0 / 3;
  return {
      {{rate(beats_peer("p2p_copy_GBps", "GB/s", 1.3))}, ours, {"memcpy_bench"}, "memcpy"},
      bare(std::move(import), "SCM_RIGHTS and mmap"),
      bare(limited("ipc_notify_us", "us", 0.3), "cache line ping-pong"),
      bare(beats_peer("ipc_notify_asleep_us", "us", 1 / 1.2), "futex wake"),
      {{limited("smi_ms", "ms", 20)},
       {"sharing_bench", {}, 0, {{"CANOPY_SOC_SPEC", "atlas-800t-a2"}}},
       {},
       ""},
  };
}

// The same operations by transport/far and by libfabric alone, over the loopback interface. An
// atomic operation is compared with a message to and fro.
std::vector<Entry> network_entries() {
  const auto pair = [](std::vector<Metric> metrics) {
    return Entry{std::move(metrics), {"ofi_bench", {}, 2}, {"ofi_raw_bench", {}, 2}, "libfabric"};
  };
  return {
      pair({beats_peer("ofi_put8_us", "us", 0.9), beats_peer("ofi_get8_us", "us", 0.9)}),
      pair({rate(beats_peer("ofi_put1m_GBps", "GB/s", 0.95)),
            rate(beats_peer("ofi_get1m_GBps", "GB/s", 0.95))}),
      pair({rate(beats_peer("ofi_put64m_GBps", "GB/s", 0.95)),
            rate(beats_peer("ofi_get64m_GBps", "GB/s", 0.95))}),
      pair({rate(beats_peer("ofi_rate8_Mps", "M/s", 0.9))}),
      pair({beats_peer("ofi_amo_us", "us", 1 / 1.2)}),
  };
}

// The same between fake hosts, and what only hosts show: a barrier, the fused kernel, the start of jobs.
std::vector<Entry> hosts_entries() {
  const auto between = [](std::vector<Metric> metrics) {
    return Entry{std::move(metrics),
                 {"ofi_bench", {}, 2, {}, {}, 2},
                 {"ofi_raw_bench", {}, 2, {}, {}, 2},
                 "libfabric"};
  };
  const auto start = [](int pes, int hosts, Metric metric) {
    Program ours{"shmem_start", {}, pes, {}, {}, hosts, metric.name};
    Program bare{"/bin/true", {}, pes, {}, {}, hosts, metric.name};
    return Entry{{std::move(metric)}, std::move(ours), std::move(bare), "mpirun /bin/true", 5};
  };
  return {
      between({printed_as(beats_peer("ofi_put8_hosts_us", "us", 0.9), "ofi_put8_us"),
               printed_as(beats_peer("ofi_get8_hosts_us", "us", 0.9), "ofi_get8_us")}),
      between({printed_as(rate(beats_peer("ofi_put1m_hosts_GBps", "GB/s", 0.95)), "ofi_put1m_GBps"),
               printed_as(rate(beats_peer("ofi_get1m_hosts_GBps", "GB/s", 0.95)), "ofi_get1m_GBps")}),
      between({printed_as(rate(beats_peer("ofi_rate8_hosts_Mps", "M/s", 0.9)), "ofi_rate8_Mps")}),
      between({printed_as(beats_peer("ofi_amo_hosts_us", "us", 1 / 1.2), "ofi_amo_us")}),
      {{printed_as(rate(beats_peer("ofi_put1m_rails_GBps", "GB/s", 1.8)), "ofi_put1m_GBps")},
       {"bench_rails", {"all"}},
       {"bench_rails", {"1"}},
       "one of the two networks",
       5},
      {{beats_peer("ofi_barrier_us", "us", 1 / 1.3)},
       {"shmem_bench", {}, 4, {}, {}, 4},
       {"ofi_raw_bench", {}, 4, {}, {}, 4},
       "two round trips of libfabric",
       0,
       "with fewer cores than hosts it takes from a second to minutes"},
      {{rate(limited("agmm_overlap", "", 0.8)), rate(limited("agmm_speedup", "", 1.5))},
       {"bench_fused"},
       {},
       "",
       5},
      start(2, 2, plain("start2_ms", "ms")),
      start(64, 4, limited("start64_ms", "ms", 4000)),
  };
}

Command command_of(const Program& program, const CatalogueOptions& options,
                   const std::vector<Metric>& metrics) {
  Command command;
  command.env = program.env;
  if (options.quick) {
    command.limit = std::chrono::seconds(30);
    command.env.emplace_back("CANOPY_BENCH_QUICK", "1");
  }
  const std::filesystem::path path = options.programs / program.name;  // "/bin/true" stays what it is
  if (program.hosts > 0) {
    command.args = {(options.programs / "bench_on_hosts").string()};
    if (!program.wall_clock_metric.empty()) {
      command.args.insert(command.args.end(), {"--wall", program.wall_clock_metric});
    }
    command.args.insert(command.args.end(),
                        {std::to_string(program.hosts), std::to_string(program.pes), "full"});
  } else if (program.pes > 0) {
    command.args = {env::text("CANOPY_MPIRUN").value_or("mpirun"),
                    "-n",
                    std::to_string(program.pes),
                    "--oversubscribe",
                    "--bind-to",
                    "none"};
    command.args.insert(command.args.end(), program.mpirun_args.begin(), program.mpirun_args.end());
    command.env.emplace_back("OMPI_ALLOW_RUN_AS_ROOT", "1");
    command.env.emplace_back("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
  }
  if (program.pes == 2 && program.wall_clock_metric.empty()) {
    command.args.push_back((options.programs / "bench_pin").string());
  }
  command.args.push_back(path.string());
  command.args.insert(command.args.end(), program.args.begin(), program.args.end());
  if (program.wall_clock_metric.empty()) {
    for (const Metric& metric : metrics) {
      command.args.push_back(metric.printed_name());
    }
  }
  return command;
}

Side side_of(const Program& program, const CatalogueOptions& options,
             const std::vector<Metric>& metrics) {
  return [command = command_of(program, options, metrics),
          wall_clock = program.hosts > 0 ? std::string() : program.wall_clock_metric]() -> Result<Measurements> {
    CANOPY_ASSIGN(const ChildOutput output, run_child(command));
    if (!wall_clock.empty()) {
      return Measurements{{wall_clock, Measurement{output.wall_ms, std::nullopt}}};
    }
    return parse_results(output.text);
  };
}

bool is_wanted(const std::vector<std::string>& wanted, const std::string& name) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
}

Experiment experiment_of(Entry entry, const CatalogueOptions& options) {
  Experiment experiment;
  experiment.metrics = std::move(entry.metrics);
  experiment.mean = std::move(entry.mean);
  experiment.rounds = entry.rounds == 0 ? options.rounds : std::min(entry.rounds, options.rounds);
  experiment.ours = side_of(entry.ours, options, experiment.metrics);
  if (options.peers && !entry.peer.name.empty()) {
    if (std::filesystem::exists(options.programs / entry.peer.name)) {
      experiment.peer = side_of(entry.peer, options, experiment.metrics);
      experiment.peer_name = entry.peer_name;
    } else {
      options.progress(fmt::format("{}: no peer: {} was not built (the configure step says why)",
                                   experiment.metrics[0].name, entry.peer.name));
    }
  }
  return experiment;
}

}  // namespace

Result<std::vector<Experiment>> make_catalogue(const CatalogueOptions& options) {
  std::vector<Entry> entries = task_entries();
  for (auto more : {memory_entries, sharing_entries, shmem_entries, network_entries, hosts_entries}) {
    for (Entry& entry : more()) {
      entries.push_back(std::move(entry));
    }
  }
  std::vector<std::string> names;
  std::vector<Experiment> experiments;
  for (Entry& entry : entries) {
    for (const Metric& metric : entry.metrics) {
      names.push_back(metric.name);
    }
    names.push_back(entry.mean);  // asks for all that it is the mean of
    std::erase_if(entry.metrics, [&](const Metric& m) {
      return !is_wanted(options.wanted, m.name) && !is_wanted(options.wanted, entry.mean);
    });
    if (options.quick && !entry.not_quick.empty() && !entry.metrics.empty()) {
      options.progress(fmt::format("{}: left out of --quick: {}", entry.metrics[0].name, entry.not_quick));
      continue;
    }
    if (!entry.metrics.empty()) {
      experiments.push_back(experiment_of(std::move(entry), options));
    }
  }
  std::erase(names, std::string());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const std::string& name : options.wanted) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return fail(Errc::not_found, "no metric is called '{}'; there are: {}", name,
                  fmt::join(names, ", "));
    }
  }
  return experiments;
}

}  // namespace canopy::bench
