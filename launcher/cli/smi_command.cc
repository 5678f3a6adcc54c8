// canopy smi: devices as the processes of this host use them: health, memory, load, links, events; faults
// on purpose, and resets. It starts no process and asks none: all is read from memory that they share.
#include "launcher/cli/command.h"
#include "launcher/cli/smi_control.h"
#include "launcher/cli/smi_options.h"
#include "launcher/cli/smi_text.h"
#include "runtime/base/doorbell.h"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <chrono>

namespace canopy::cli {
namespace {

// Of what the user cannot put right: the shared memory of this host cannot be read.
constexpr int kExitUnavailable = 3;

int complain_about_table(const Error& error) {
  complain_about_last_error("smi");
  return error.code == Errc::no_permission || error.code == Errc::busy ? kExitUsage : kExitUnavailable;
}

int check_device(const SmiSnapshot& snapshot, const SmiOptions& options) {
  // Links are the machine's; of devices, the table may know more.
  const bool known = !options.device || (options.view.empty() ? snapshot.find(*options.device) != nullptr
                                                              : *options.device < snapshot.machine.count());
  if (known) {
    return 0;
  }
  return complain("smi", fmt::format("device {}: the machine '{}' ({}) has devices 0 to {}", *options.device,
                                     snapshot.machine.name(), snapshot.chosen_by, snapshot.machine.count() - 1));
}

int change(const SmiOptions& options, const SmiSnapshot& snapshot, const std::optional<HostView>& view) {
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

std::string text_of(const SmiOptions& options, const SmiSnapshot& snapshot) {
  if (options.events) {
    return options.json ? smi_events_json(snapshot.events, options.device).dump(2) + "\n"
                        : smi_events(snapshot.events, options.device);
  }
  if (options.json) {
    return smi_json(snapshot, options.device).dump(2) + "\n";
  }
  return options.view == "topo" ? smi_topo(snapshot, options.device) : smi_table(snapshot, options.device);
}

int look(const SmiOptions& options, const SmiMachine& machine) {
  auto view = HostView::open();
  if (!view) {
    return complain_about_table(view.error());
  }
  const SmiSnapshot snapshot = take_snapshot(machine, *view);
  if (const int code = check_device(snapshot, options); code != 0) {
    return code;
  }
  if (!options.action().empty()) {
    return change(options, snapshot, *view);
  }
  if (options.export_folder) {
    return smi_export(snapshot, *options.export_folder);
  }
  write_output(text_of(options, snapshot));
  return 0;
}

int watch(const SmiOptions& options, const SmiMachine& machine) {
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

int smi(const SmiOptions& options) {
  if (const int code = check_smi_options(options); code != 0) {
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
  CLI::App* command = app.add_subcommand("smi", "Show devices in use: health, memory, load, processes");
  auto options = add_smi_options(command);
  command->callback([options, &code] { code = smi(*options); });
}

}  // namespace canopy::cli
