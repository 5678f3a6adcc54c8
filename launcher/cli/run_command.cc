// canopy run: a thin front of mpirun. It becomes mpirun (exec), so signals and exit codes are
// mpirun's.
#include "launcher/cli/command.h"
#include "runtime/base/env.h"
#include "topology/discover/discover.h"
#include "topology/model/spec_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <sched.h>
#include <unistd.h>

extern char** environ;

namespace canopy::cli {
namespace {

struct Options {
  int ranks = 0;
  std::vector<std::string> exports;
  std::string spec;
  std::string hosts;
  std::string hostfile;
  bool dry_run = false;
};

// Cores that mpirun would count as slots: not hardware threads, and only those we may run on.
int usable_cores() {
  cpu_set_t set;
  int allowed = sched_getaffinity(0, sizeof set, &set) == 0
                    ? CPU_COUNT(&set)
                    : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  auto host = topology::discover_host("");
  return host && host->cores > 0 ? std::min(host->cores, allowed) : allowed;
}

// Other hosts start with an environment of their own; the settings of this one must reach them.
std::vector<std::string> canopy_variables() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string_view text = *entry;
    if (text.starts_with("CANOPY_")) {
      names.emplace_back(text.substr(0, text.find('=')));
    }
  }
  return names;
}

std::vector<std::string> mpirun_command(const Options& options, const std::string& mpirun,
                                        const std::vector<std::string>& program) {
  // Never bound to one core each: a PE's executors use all the cores its share allows.
  std::vector<std::string> command = {mpirun, "-n", std::to_string(options.ranks), "--bind-to",
                                      "none"};
  bool far = !options.hosts.empty() || !options.hostfile.empty();
  if (!far && options.ranks > usable_cores()) {
    command.emplace_back("--oversubscribe");
  }
  auto add = [&](std::string flag, const std::string& value) {
    command.push_back(std::move(flag));
    command.push_back(value);
  };
  if (!options.hosts.empty()) {
    add("--host", options.hosts);
  }
  if (!options.hostfile.empty()) {
    add("--hostfile", options.hostfile);
  }
  std::vector<std::string> exports = options.exports;
  if (far) {
    for (const std::string& name : canopy_variables()) {
      exports.push_back(name);
    }
  }
  for (const std::string& variable : exports) {
    add("-x", variable);
  }
  command.insert(command.end(), program.begin(), program.end());
  return command;
}

int become(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));  // execv does not write to them
  }
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  return complain("run", fmt::format("cannot start {}: {}", command[0], std::strerror(errno)));
}

int run(const Options& options, std::vector<std::string> program) {
  if (!program.empty() && program.front() == "--") {
    program.erase(program.begin());
  }
  if (options.ranks < 1) {
    return complain("run",
                    fmt::format("-n {}: the number of PEs must be 1 or more", options.ranks));
  }
  if (program.empty()) {
    return complain("run", "a program to run is missing: canopy run -n N PROGRAM [ARGUMENTS]");
  }
  if (program.front().starts_with("-")) {
    return complain("run", fmt::format("unknown option {} (mpirun's own options are not passed on; "
                                       "see canopy run --help)",
                                       program.front()));
  }
  // Checked here because mpirun says it in a page of text, once per host.
  if (find_program(program.front()).empty()) {
    return complain(
        "run", fmt::format("'{}' is not an executable program{}", program.front(),
                           program.front().find('/') == std::string::npos
                               ? " in PATH (name one in this folder as ./" + program.front() + ")"
                               : ""));
  }
  std::string wanted = env::text("CANOPY_MPIRUN").value_or("mpirun");
  std::string mpirun = find_program(wanted);
  if (mpirun.empty()) {
    return complain("run", fmt::format("'{}' is not an executable program; install openmpi-bin, or "
                                       "set CANOPY_MPIRUN",
                                       wanted));
  }
  if (!options.spec.empty()) {
    // hwloc specs cannot be read by the PEs, whose runtime has no discovery: say so before the
    // start.
    topology::set_discovery(nullptr);
    if (!topology::machine_by_name(options.spec)) {
      return complain_about_last_error("run");
    }
    setenv("CANOPY_SOC_SPEC", options.spec.c_str(), 1);
  }
  if (geteuid() == 0) {
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
  }
  std::vector<std::string> command = mpirun_command(options, mpirun, program);
  if (options.dry_run) {
    say("{}\n", fmt::join(command, " "));
    return 0;
  }
  return become(command);
}

}  // namespace

void add_run(CLI::App& app, const std::vector<std::string>& behind_mark, int& code) {
  auto options = std::make_shared<Options>();  // lives as long as the callback below
  CLI::App* command = app.add_subcommand("run", "Start a program on N PEs (through mpirun)");
  command->add_option("-n,--np", options->ranks, "Number of PEs")->required();
  command
      ->add_option("-x", options->exports, "Environment variable for the PEs, NAME or NAME=VALUE")
      ->take_all()
      ->allow_extra_args(false)
      ->check([](const std::string& text) {
        return std::string(text.empty() || text.front() == '=' ? "the name of a variable is wanted" : "");
      });
  command->add_option("--spec", options->spec, "The NPUs of each host (sets CANOPY_SOC_SPEC)");
  const auto not_empty = [](const std::string& text) { return std::string(text.empty() ? "it is empty" : ""); };
  command->add_option("--host", options->hosts, "Hosts, as mpirun takes them: h0:2,h1:2")->check(not_empty);
  command->add_option("--hostfile", options->hostfile, "A file with one host a line")->check(CLI::ExistingFile);
  command->add_flag("--dry-run", options->dry_run, "Print the mpirun command and stop");
  command->prefix_command();  // from the program on, everything is the program's
  command->callback([options, command, behind_mark, &code] {
    std::vector<std::string> program = command->remaining();
    program.insert(program.end(), behind_mark.begin(), behind_mark.end());
    code = run(*options, std::move(program));
  });
}

}  // namespace canopy::cli
