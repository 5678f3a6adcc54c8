#include "launcher/cli/smi_options.h"

#include "launcher/cli/command.h"
#include "launcher/cli/number.h"

#include <limits>

namespace canopy::cli {
namespace {

constexpr uint64_t kMostLooks = 1'000'000'000;
constexpr const char* kTopo = "topo";

std::string seconds_or_view(const std::string& text) {
  return text == kTopo ? "" : number_from(0.01, 86400.)(text);
}

std::string folder(const std::string& text) { return text.empty() ? "the name of a folder is wanted" : ""; }

}  // namespace

std::string SmiOptions::action() const {
  return !inject.empty() ? "--inject" : clear ? "--clear" : reset ? "--reset" : "";
}

std::shared_ptr<SmiOptions> add_smi_options(CLI::App* command) {
  auto options = std::make_shared<SmiOptions>();
  command->add_option("view", options->view, "topo: links, their state and traffic")->check(CLI::IsMember({kTopo}));
  command->add_option("-i,--id", options->device, "One device")
      ->type_name("N")
      ->check(number_from(0, std::numeric_limits<int>::max()));
  command->add_option("--spec", options->spec, "The machine, where no process has said what a device is");
  command->add_flag("--json", options->json, "Print JSON");
  command->add_option_function<std::string>(
             "--watch",
             [options](const std::string& given) {
               options->watch = number<double>(given).value_or(1);
               if (given == kTopo) {  // the view, behind a --watch without a number
                 options->view = given;
               }
             },
             "Look again every SECONDS (1)")
      ->expected(0, 1)
      ->default_str("1")
      ->type_name("SECONDS")
      ->check(seconds_or_view);
  command->add_option("--count", options->count, "With --watch: so many looks (no end)")
      ->type_name("N")
      ->check(number_from(uint64_t{1}, kMostLooks));
  command->add_flag("--events", options->events, "Print the event log");
  command->add_option("--export-log", options->export_folder, "Write snapshot and event logs into this folder")
      ->type_name("DIR")
      ->check(folder);
  command->add_option("--inject", options->inject, "A fault: ecc, lost, or link PEER down")->expected(1, 3)->type_name("FAULT");
  command->add_flag("--clear", options->clear, "End all faults of the device");
  command->add_flag("--reset", options->reset, "Reset the device: faults and counters");
  command->add_flag("--force", options->force, "With --reset: although processes use it");
  return options;
}

int check_smi_options(const SmiOptions& options) {
  const std::string action = options.action();
  if (!options.inject.empty() + options.clear + options.reset > 1) {
    return complain("smi", "one of --inject, --clear and --reset at a time");
  }
  if (!action.empty() && !options.device) {
    return complain("smi", "which device? --inject, --clear and --reset want -i N");
  }
  if (options.force && !options.reset) {
    return complain("smi", "--force goes with --reset");
  }
  if (options.watch && (!action.empty() || options.export_folder)) {
    return complain("smi", "--watch looks, and goes with no action");
  }
  if (options.count && !options.watch) {
    return complain("smi", "--count goes with --watch");
  }
  const std::string look = options.export_folder     ? "--export-log"
                           : options.events          ? "--events"
                           : options.json            ? "--json"
                           : !options.view.empty() ? options.view
                                                     : "";
  if (!action.empty() && !look.empty()) {
    return complain("smi", fmt::format("{} changes a device, and goes with no {}", action, look));
  }
  const std::string part = options.json                ? "--json"
                           : options.events          ? "--events"
                           : options.device          ? "-i"
                           : !options.view.empty() ? options.view
                                                     : "";
  if (options.export_folder && !part.empty()) {
    return complain("smi", fmt::format("--export-log writes all there is, of all devices, and goes with no {}", part));
  }
  if (options.events && !options.view.empty()) {
    return complain("smi", fmt::format("{} and --events are two views: one at a time", options.view));
  }
  return 0;
}

}  // namespace canopy::cli
