// canopy: the command line tool. One file per subcommand beside this one.
#include "launcher/cli/command.h"
#include "topology/discover/discover.h"

#include <algorithm>
#include <csignal>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace canopy::cli {
namespace {

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) {
    names.push_back(command->get_name());
  }
  return names;
}

// The sentence for what CLI11 did not understand.
int explain(const CLI::App& app, const CLI::ParseError& error, const std::string& first) {
  std::vector<std::string> names = command_names(app);
  bool known = std::find(names.begin(), names.end(), first) != names.end();
  if (!known && !first.empty() && first[0] != '-') {
    return complain(
        "", fmt::format("unknown command '{}'; known are: {}", first, fmt::join(names, ", ")));
  }
  return complain(known ? first : "", fmt::format("{} (see canopy --help)", error.what()));
}

// A flag is given or not: "--json=false" is an error, as "--events=0".
void take_flags_without_values(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (option->get_items_expected_max() == 0) {
      option->disable_flag_override();
    }
  }
  for (CLI::App* inner : command.get_subcommands({})) {
    take_flags_without_values(*inner);
  }
}

// What the commands do. Their exit code; of `app`, what was chosen.
int run(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", CANOPY_VERSION);
  app.require_subcommand(0, 1);  // none is our own error sentence below
  int code = 0;
  add_topo(app, code);
  // From "--" on nothing is ours; CLI11 would turn the order of what stands there round.
  char** const end = argc > 1 && std::string_view(argv[1]) == "run" ? std::find(argv + 2, argv + argc, std::string_view("--"))
                                                                    : argv + argc;
  add_run(app, {end, argv + argc}, code);
  add_info(app, code);
  add_trace(app, code);
  add_cluster(app, code);
  add_bench(app, code);
  add_smi(app, code);
  for (CLI::App* command : app.get_subcommands({})) {
    take_flags_without_values(*command);
  }
  try {
    app.parse(static_cast<int>(end - argv), argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::Success)) {
      return explain(app, error, argc > 1 ? argv[1] : "");
    }
    std::ostringstream help;
    app.exit(error, help, help);
    write_output(help.str());
    return 0;
  }
  if (app.get_subcommands().empty()) {
    return complain("", fmt::format("a command is missing; known are: {} (see canopy --help)",
                                    fmt::join(command_names(app), ", ")));
  }
  return code;
}

// A command has done its work only when its output is where it belongs.
int run_and_write(int argc, char** argv) {
  CLI::App app{"Canopy: simulated NPUs, and one memory across all of them.", "canopy"};
  const int code = run(app, argc, argv);
  if (flush_output()) {
    return code;
  }
  const auto chosen = app.get_subcommands();
  const int failed = complain_about_last_error(chosen.empty() ? "" : chosen[0]->get_name());
  return code != 0 ? code : failed;
}

}  // namespace
}  // namespace canopy::cli

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // beyond ulimit -f a write is an error, not the end
  canopy::cli::hold_standard_streams();
  canopy::topology::register_hwloc_discovery();
  return canopy::cli::run_and_write(argc, argv);
}
