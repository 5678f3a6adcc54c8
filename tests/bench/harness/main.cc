// canopy_bench: runs the experiments and prints one JSON line per metric on stdout; progress goes
// to stderr. Exit status 1 when a benchmark of ours failed, 2 for a wrong command line. A figure
// that misses its target is a result, not a failure.
#include "runtime/base/result.h"
#include "tests/bench/harness/catalogue.h"
#include "tests/bench/harness/child.h"
#include "tests/bench/harness/machine.h"
#include "tests/bench/harness/statistics.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

namespace canopy::bench {
namespace {

using Json = nlohmann::ordered_json;

// Of real programs: some of it is the program's own work, which is the same on both sides.
constexpr double kMeanWanted = 1.2;

void progress(const std::string& line) { fmt::print(stderr, "bench: {}\n", line); }

// Four digits are more than the repeats agree on; the rest would be noise in a diff.
Json number(double value) { return std::strtod(fmt::format("{:.4g}", value).c_str(), nullptr); }
Json number(const std::optional<double>& value) { return value ? number(*value) : Json(nullptr); }

Json record(const Experiment& experiment, const Metric& metric, const Verdict& verdict) {
  return {{"metric", metric.name},
          {"unit", metric.unit},
          {"value", number(verdict.value)},
          {"p99", number(verdict.p99)},
          {"peer", verdict.peer_value ? Json(experiment.peer_name) : Json(nullptr)},
          {"peer_value", number(verdict.peer_value)},
          {"ratio", number(verdict.ratio)},
          {"iqr", number(verdict.iqr)},
          {"n", verdict.valid_rounds}};
}

std::string judge(const char* what, double figure, double limit, bool higher_is_better) {
  const bool reached = higher_is_better ? figure >= limit : figure <= limit;
  return fmt::format("; {} {} {:g}: {}", what, higher_is_better ? ">=" : "<=", limit,
                     reached ? "reached" : "MISSED");
}

// The line of one metric on stderr, with what must be reached.
std::string sentence(const Metric& metric, const Verdict& verdict) {
  std::string text = fmt::format("{}: {:.4g} {}", metric.name, verdict.value, metric.unit);
  if (verdict.ratio) {
    text += fmt::format(", peer {:.4g}, ratio {:.3g}", *verdict.peer_value, *verdict.ratio);
  }
  if (metric.value_limit) {
    text += judge("target", verdict.value, *metric.value_limit, metric.higher_is_better);
  }
  if (metric.p99_limit) {
    text += judge("p99", verdict.p99, *metric.p99_limit, metric.higher_is_better);
  }
  if (metric.ratio_limit && verdict.ratio) {
    text += judge("ratio", *verdict.ratio, *metric.ratio_limit, true);
  }
  if (metric.excess_limit && verdict.peer_value) {
    text += judge("over the peer", verdict.value - *verdict.peer_value, *metric.excess_limit, false);
  }
  if (verdict.void_rounds > 0) {
    text += fmt::format("; {} rounds void (the peer was over 25 % slower than its best)",
                        verdict.void_rounds);
  }
  return text;
}

// The ratios that have a mean, by its name.
using Means = std::map<std::string, std::vector<double>>;

void print_means(const Means& means) {
  for (const auto& [name, ratios] : means) {
    const double mean = geometric_mean(ratios);
    progress(fmt::format("{}: {:.3g}{}", name, mean, judge("ratio", mean, kMeanWanted, true)));
    fmt::print("{}\n", Json{{"metric", name},
                            {"unit", "ratio"},
                            {"value", number(mean)},
                            {"p99", nullptr},
                            {"peer", nullptr},
                            {"peer_value", nullptr},
                            {"ratio", number(mean)},
                            {"iqr", nullptr},
                            {"n", ratios.size()}}
                           .dump());
  }
}

bool run_all(const std::vector<Experiment>& experiments) {
  bool all_good = true;
  Means means;
  for (const Experiment& experiment : experiments) {
    auto outcome = run_experiment(experiment, progress);
    if (!outcome && outcome.error().code == Errc::not_supported) {
      const std::string why = error_text::take_newest();
      for (const Metric& metric : experiment.metrics) {
        progress(fmt::format("{}: NOT MEASURED, this machine cannot: {}", metric.name, why));
        fmt::print("{}\n", Json{{"metric", metric.name}, {"not_measured", why}}.dump());
      }
      continue;
    }
    if (!outcome) {
      progress(
          fmt::format("{}: FAILED: {}", experiment.metrics[0].name, error_text::take_newest()));
      all_good = false;
      continue;
    }
    for (size_t i = 0; i < experiment.metrics.size(); ++i) {
      const Verdict& verdict = outcome->verdicts[i];
      progress(sentence(experiment.metrics[i], verdict));
      if (verdict.valid_rounds < experiment.rounds) {
        progress(
            fmt::format("{}: only {} valid rounds of {} wanted: the machine is not quiet enough",
                        experiment.metrics[i].name, verdict.valid_rounds, experiment.rounds));
      }
      if (!experiment.mean.empty() && verdict.ratio) {
        means[experiment.mean].push_back(*verdict.ratio);
      }
      fmt::print("{}\n", record(experiment, experiment.metrics[i], verdict).dump());
      std::fflush(stdout);
    }
  }
  print_means(means);
  return all_good;
}

}  // namespace
}  // namespace canopy::bench

int main(int argc, char** argv) {
  using namespace canopy;
  using namespace canopy::bench;
  block_child_signals();
  CatalogueOptions options;
  options.progress = progress;
  options.programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::string commit = "unknown";
  CLI::App app{"Measures Canopy against its peers; JSON lines on stdout"};
  app.add_option("NAME", options.wanted, "metrics to measure (default: all)");
  app.add_option("--rounds", options.rounds, "valid rounds per metric")->check(CLI::Range(1, 1000));
  app.add_option("--commit", commit, "what the machine record calls the code");
  app.add_flag("--quick", options.quick, "one short round: checks that the benchmarks work");
  bool no_peers = false;
  app.add_flag("--no-peers", no_peers, "run our side only");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.peers = !no_peers;
  if (options.quick) {
    options.rounds = 1;
  }
  auto experiments = make_catalogue(options);
  if (!experiments) {
    progress(error_text::take_newest());
    return 2;
  }
  fmt::print("{}\n", machine_record(commit).dump());
  std::fflush(stdout);
  return run_all(*experiments) ? 0 : 1;
}
