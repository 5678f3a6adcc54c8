// canopy smi: devices as the processes of this host use them: health, memory, load, links, events; faults
// on purpose, and resets. It starts no process and asks none: all is read from memory that they share.
#include "launcher/cli/command.h"
#include "launcher/cli/smi_control.h"
#include "launcher/cli/smi_text.h"
#include "runtime/base/doorbell.h"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <chrono>
#include <memory>

namespace canopy::cli {
namespace {

// Of what the user cannot put right: the shared memory of this host cannot be read.
constexpr int kExitUnavailable = 3;

struct Options {
  std::string view;
  std::string spec;
  std::optional<int> device;
  std::optional<double> watch;  // seconds
  uint64_t count = 0;           // looks of --watch; 0: no end
  bool json = false;
  bool events = false;
  std::vector<std::string> inject;
  bool clear = false;
  bool reset = false;
  bool force = false;
  std::string export_folder;
  bool changes() const { return !inject.empty() || clear || reset; }
};

int complain_about_table(const Error& error) {
  complain_about_last_error("smi");
  return error.code == Errc::no_permission || error.code == Errc::busy ? kExitUsage : kExitUnavailable;
}

int check(const Options& options) {
  const int actions = !options.inject.empty() + options.clear + options.reset;
  if (actions > 1) {
    return complain("smi", "one of --inject, --clear and --reset at a time");
  }
  if (actions == 1 && !options.device) {
    return complain("smi", "which device? --inject, --clear and --reset want -i N");
  }
  if (options.force && !options.reset) {
    return complain("smi", "--force goes with --reset");
  }
  if (options.watch && (actions != 0 || !options.export_folder.empty())) {
    return complain("smi", "--watch looks, and goes with no action");
  }
  if (options.watch && !(*options.watch >= 0.01 && *options.watch <= 86400)) {
    return complain("smi", fmt::format("--watch {}: 0.01 to 86400 seconds", *options.watch));
  }
  if (options.count != 0 && !options.watch) {
    return complain("smi", "--count goes with --watch");
  }
  return 0;
}

int check_device(const SmiSnapshot& snapshot, const Options& options) {
  if (!options.device || snapshot.find(*options.device) != nullptr) {
    return 0;
  }
  return complain("smi", fmt::format("device {}: the machine '{}' ({}) has devices 0 to {}", *options.device,
                                     snapshot.machine.name(), snapshot.chosen_by, snapshot.machine.count() - 1));
}

int change(const Options& options, const SmiSnapshot& snapshot, const std::optional<HostView>& view) {
  // The next process that starts alone would begin with a fresh table.
  if (!view || view->owners().empty()) {
    return complain("smi", "nothing runs: faults and resets are for devices of processes that run");
  }
  if (!options.inject.empty()) {
    return smi_inject(snapshot, *view, *options.device, options.inject);
  }
  return options.clear ? smi_clear(*view, *options.device)
                       : smi_reset(*view, *options.device, options.force);
}

std::string text_of(const Options& options, const SmiSnapshot& snapshot) {
  if (options.events) {
    return options.json ? smi_events_json(snapshot.events, options.device).dump(2) + "\n"
                        : smi_events(snapshot.events, options.device);
  }
  if (options.json) {
    return smi_json(snapshot, options.device).dump(2) + "\n";
  }
  return options.view == "topo" ? smi_topo(snapshot) : smi_table(snapshot, options.device);
}

int look(const Options& options, const SmiMachine& machine) {
  auto view = HostView::open();
  if (!view) {
    return complain_about_table(view.error());
  }
  const SmiSnapshot snapshot = take_snapshot(machine, *view);
  if (const int code = check_device(snapshot, options); code != 0) {
    return code;
  }
  if (options.changes()) {
    return change(options, snapshot, *view);
  }
  if (!options.export_folder.empty()) {
    return smi_export(snapshot, options.export_folder);
  }
  write_output(text_of(options, snapshot));
  return 0;
}

int watch(const Options& options, const SmiMachine& machine) {
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  const auto pause = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(*options.watch));
  for (uint64_t looks = 1;; ++looks) {
    if (terminal) {
      say("\x1b[H\x1b[2J");  // to the top of an empty screen
    }
    const int code = look(options, machine);
    const bool heard = flush_output().has_value();
    if (code != 0 || !heard || looks == options.count) {
      return code;
    }
    Doorbell().sleep(BellScope::process, pause, [] { return true; });  // nobody rings it
  }
}

int smi(const Options& options) {
  if (const int code = check(options); code != 0) {
    return code;
  }
  const auto machine = smi_machine(options.spec);
  if (!machine) {
    return complain_about_last_error("smi");
  }
  return options.watch ? watch(options, *machine) : look(options, *machine);
}

}  // namespace

void add_smi(CLI::App& app, int& code) {
  auto options = std::make_shared<Options>();  // lives as long as the callback below
  CLI::App* command = app.add_subcommand("smi", "Show devices in use: health, memory, load, processes");
  command->add_option("view", options->view, "topo: links, their state and traffic")->check(CLI::IsMember({"topo"}));
  command->add_option("-i,--id", options->device, "One device")->type_name("N");
  command->add_option("--spec", options->spec, "The machine, where no process has said what a device is");
  command->add_flag("--json", options->json, "Print JSON");
  command->add_option_function<std::vector<double>>(
             "--watch", [options](const std::vector<double>& given) { options->watch = given.empty() ? 1 : given[0]; },
             "Look again every SECONDS (1)")
      ->expected(0, 1)
      ->type_name("SECONDS");
  command->add_option("--count", options->count, "With --watch: so many looks");
  command->add_flag("--events", options->events, "Print the event log");
  command->add_option("--export-log", options->export_folder, "Write snapshot and event logs into this folder")
      ->type_name("DIR");
  command->add_option("--inject", options->inject, "A fault: ecc, lost, or link PEER down")->expected(1, 3)->type_name("FAULT");
  command->add_flag("--clear", options->clear, "End all faults of the device");
  command->add_flag("--reset", options->reset, "Reset the device: faults and counters");
  command->add_flag("--force", options->force, "With --reset: although processes use it");
  command->callback([options, &code] { code = smi(*options); });
}

}  // namespace canopy::cli
