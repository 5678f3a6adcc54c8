// canopy topo: which NPUs, how they are joined, and why a path is what it is.
#include "launcher/cli/command.h"
#include "launcher/cli/topo_svg.h"
#include "launcher/cli/topo_table.h"
#include "runtime/base/env.h"
#include "topology/model/spec_file.h"
#include "topology/route/path.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

namespace canopy::cli {
namespace {
using topology::Machine;

struct Options {
  std::string spec;
  std::string svg_path;
  std::string force;
  std::vector<int> why;
  bool json = false;
  bool list = false;
};

struct Chosen {
  Machine machine;
  std::string by;
  std::optional<topology::HostFacts> host;
  std::vector<topology::NpuPlace> places;
};

Result<Chosen> choose(const Options& options) {
  Chosen chosen;
  std::string value = options.spec;
  chosen.by = "--spec " + options.spec;
  if (value.empty()) {
    value = env::text("CANOPY_SOC_SPEC").value_or("auto");
    chosen.by = env::text("CANOPY_SOC_SPEC") ? "CANOPY_SOC_SPEC=" + value
                                             : "the default; --spec and CANOPY_SOC_SPEC choose "
                                               "another";
  }
  if (value == "hwloc" || (value.starts_with("hwloc:") && value.size() > 6)) {
    // Asked directly rather than by name: discovery knows more than a Machine holds.
    CANOPY_ASSIGN(topology::Discovered found,
                  topology::discover(value.substr(std::min<size_t>(6, value.size()))));
    chosen.machine = std::move(found.machine);
    chosen.host = std::move(found.host);
    chosen.places = std::move(found.places);
    return chosen;
  }
  CANOPY_ASSIGN(chosen.machine, topology::machine_by_name(value));
  if (auto host = topology::discover_host("")) {
    chosen.host = std::move(*host);
  }
  return chosen;
}

int write_svg(const Machine& machine, const std::string& path) {
  std::ofstream file(path);
  file << topo_svg(machine);
  file.close();
  if (!file) {
    return complain("topo", fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  }
  return 0;
}

int explain_path(const Machine& machine, const Options& options) {
  std::optional<topology::PeerPath> forced;
  if (!options.force.empty()) {
    forced = topology::parse_peer_path(options.force);
    if (!forced) {
      return complain("topo",
                      fmt::format("--force {}: must be direct, staged or refused", options.force));
    }
  }
  auto choice = topology::choose_path(machine, options.why[0], options.why[1], forced);
  if (!choice) {
    return complain_about_last_error("topo");
  }
  say("{}\n", choice->reason);
  return 0;
}

int topo(const Options& options) {
  if (options.list && (options.json || !options.why.empty() || !options.force.empty() || !options.svg_path.empty())) {
    return complain("topo", "--list goes with no other option");
  }
  if (options.json && !options.why.empty()) {
    return complain("topo", "--why explains in a sentence, and goes with no --json");
  }
  if (options.list) {
    say("auto\n{}\n", fmt::join(topology::installed_specs(), "\n"));
    return 0;
  }
  if (!options.force.empty() && options.why.empty()) {
    return complain("topo", "--force changes what --why explains; give --why A B with it");
  }
  auto chosen = choose(options);
  if (!chosen) {
    return complain_about_last_error("topo");
  }
  if (!options.svg_path.empty()) {
    if (int code = write_svg(chosen->machine, options.svg_path); code != 0) {
      return code;
    }
  }
  if (!options.why.empty()) {
    return explain_path(chosen->machine, options);
  }
  if (options.json) {
    write_output(topology::write_spec(chosen->machine));
  } else if (options.svg_path.empty()) {
    write_output(topo_table({chosen->machine, chosen->by, chosen->host, chosen->places}));
  }
  return 0;
}

}  // namespace

void add_topo(CLI::App& app, int& code) {
  auto options = std::make_shared<Options>();  // lives as long as the callback below
  CLI::App* command = app.add_subcommand("topo", "Show the NPUs and how they are joined");
  command->add_option("--spec", options->spec,
                      "auto, an installed spec, a spec file, hwloc, or hwloc:FILE");
  command->add_flag("--json", options->json, "Print the machine as a spec file");
  command->add_option("--svg", options->svg_path, "Write a picture to this file")
      ->check([](const std::string& path) { return std::string(path.empty() ? "the name of a file is wanted" : ""); });
  command->add_option("--why", options->why, "Explain the path from NPU A to NPU B")->expected(2);
  command->add_option("--force", options->force, "With --why: direct, staged or refused");
  command->add_flag("--list", options->list, "List the specs that have a name");
  command->callback([options, &code] { code = topo(*options); });
}

}  // namespace canopy::cli
