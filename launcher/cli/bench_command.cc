// canopy bench: what the simulated machine does on this one. `p2p`: between devices.
#include "launcher/cli/command.h"
#include "launcher/cli/p2p_bench.h"
#include "launcher/cli/p2p_report.h"
#include "runtime/base/clock.h"
#include "topology/model/spec_file.h"

#include <cstdlib>
#include <memory>

namespace canopy::cli {
namespace {

constexpr int kExitFailed = 1;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kLargestCopy = uint64_t{1} << 40;  // above any device's memory

struct Options {
  P2pPlan plan{.sizes = {64 * kMiB}};
  std::string spec;
  bool json = false;
};

// Speaks on stderr when somebody has waited for a second, then every two.
class Progress {
 public:
  void operator()(size_t done, size_t all) {
    const uint64_t now = monotonic_ns();
    if (now >= speak_at_) {
      write_error(fmt::format("canopy bench p2p: {} of {} pairs\n", done, all));
      speak_at_ = now + 2'000'000'000;
    }
  }

 private:
  uint64_t speak_at_ = monotonic_ns() + 1'000'000'000;
};

int p2p(const Options& options) {
  if (!options.spec.empty()) {
    // The runtime reads it with its first call, and this program has no other thread yet.
    ::setenv("CANOPY_SOC_SPEC", options.spec.c_str(), 1);
  }
  if (!topology::machine_from_environment()) {
    return complain_about_last_error("bench p2p");
  }
  const auto matrix = measure_p2p(options.plan, Progress());
  if (!matrix) {
    const int usage = complain_about_last_error("bench p2p");
    return matrix.error().code == Errc::internal ? kExitFailed : usage;
  }
  write_output(options.json ? p2p_json(*matrix) : p2p_table(*matrix));
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, int& code) {
  auto options = std::make_shared<Options>();  // lives as long as the callback below
  CLI::App* bench = app.add_subcommand("bench", "Measure this machine's simulated NPUs");
  bench->require_subcommand(1);
  CLI::App* command = bench->add_subcommand("p2p", "Rates and latencies between all pairs of NPUs");
  P2pPlan& plan = options->plan;
  command->add_option("--spec", options->spec, "A spec as canopy topo takes it");
  command->add_option("--devices", plan.devices, "Only these, such as 0,1,4")->delimiter(',');
  command->add_option("--sizes", plan.sizes, "Bytes of a copy, such as 1M,64M (default 64M)")
      ->delimiter(',')
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(kLatencyBytes, kLargestCopy));
  command->add_option("--iterations", plan.iterations, "Copies per rate (default 5)")
      ->check(CLI::Range(1, 1'000'000));
  command
      ->add_option("--latency-iterations", plan.latency_iterations,
                   "Copies per latency (default 200)")
      ->check(CLI::Range(1, 100'000'000));
  command->add_flag("--both-ways", plan.both_ways, "Also two copies at once, there and back");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &code] { code = p2p(*options); });
}

}  // namespace canopy::cli
