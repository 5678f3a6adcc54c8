// canopy cluster: fake hosts on one machine. What each command means is in launcher/cluster.
#include "launcher/cli/cluster_command.h"
#include "launcher/cli/number.h"

#include "launcher/cluster/faults.h"
#include "launcher/cluster/namespaces.h"
#include "runtime/base/env.h"

#include <limits>
#include <memory>

namespace canopy::cli {
namespace {
using cluster::Cluster;

struct Options {
  std::string name;
  std::string host;
  std::string value;
  int hosts = 0;
  int rails = 1;
  int rail = 0;
  int while_pid = 0;
  bool keep_links = false;
};

int answer(const Result<>& result) { return result ? 0 : complain_about_cluster(result.error()); }

Result<> up(const Options& options) {
  CANOPY_TRY(cluster::bring_up({options.name, {options.hosts, options.rails}, options.while_pid}));
  say("cluster '{}' is up: {} host{} (h0{}), {} rail{}\n", options.name, options.hosts,
             options.hosts == 1 ? "" : "s",
             options.hosts == 1 ? "" : fmt::format(" to h{}", options.hosts - 1), options.rails,
             options.rails == 1 ? "" : "s");
  return {};
}

std::string_view word(Cluster::HostState state) {
  switch (state) {
    case Cluster::HostState::up:
      return "up";
    case Cluster::HostState::paused:
      return "paused";
    case Cluster::HostState::dead:
      return "dead";
  }
  return "";
}

Result<> print_status(const std::string& name) {
  CANOPY_ASSIGN(Cluster cluster, Cluster::open(name));
  // In a child each: a process that has gone to one cluster's head cannot go to another's.
  return cluster::in_child([&]() -> Result<> {
    CANOPY_TRY(cluster.go_to_head());
    const cluster::Layout& layout = cluster.layout();
    say("{}: {} host{}, {} rail{}\n", name, layout.hosts, layout.hosts == 1 ? "" : "s",
               layout.rails, layout.rails == 1 ? "" : "s");
    for (int host = 0; host < layout.hosts; ++host) {
      const Cluster::HostState state = cluster.state_of(host);
      say("  {:<5} {:<6}", cluster::host_name(host), word(state));
      for (int rail = 0; rail < layout.rails && state != Cluster::HostState::dead; ++rail) {
        const std::string faults = cluster::faults_of(cluster, host, rail);
        say("  {}{}", cluster::rail_address(host, rail),
                   faults.empty() ? "" : " (" + faults + ")");
      }
      say("\n");
    }
    return flush_output();
  });
}

Result<> status(const Options& options, bool one) {
  if (one) {
    return print_status(options.name);
  }
  const auto names = cluster::ClusterFiles::living();
  if (names.empty()) {
    say("no cluster is up\n");
  }
  for (const std::string& name : names) {
    CANOPY_TRY(print_status(name));
  }
  return {};
}

// Opens the cluster, goes to its head and does `work` to the host.
template <class F>
Result<> at_head(const Options& options, F work) {
  CANOPY_ASSIGN(Cluster cluster, Cluster::open(options.name));
  CANOPY_ASSIGN(const int host, cluster::parse_host(cluster.layout(), options.host));
  CANOPY_TRY(cluster::check_rail(cluster.layout(), options.rail));
  CANOPY_TRY(cluster.go_to_head());
  return work(cluster, host);
}

Result<> link(const Options& options) {
  if (options.value != "up" && options.value != "down") {
    return fail(Errc::invalid_argument, "link {}: '{}' is neither up nor down", options.host,
                options.value);
  }
  return at_head(options, [&](Cluster& cluster, int host) {
    return cluster::set_link(cluster, host, options.rail, options.value == "up");
  });
}

Result<> rate(const Options& options) {
  std::optional<cluster::Rate> wanted;
  if (options.value != "off") {
    CANOPY_ASSIGN(wanted, cluster::parse_rate(options.value));
  }
  return at_head(options, [&](Cluster& cluster, int host) {
    return cluster::set_rate(cluster, host, options.rail, wanted);
  });
}

Result<> loss(const Options& options) {
  std::optional<cluster::Loss> wanted;
  if (options.value != "off") {
    CANOPY_ASSIGN(wanted, cluster::parse_loss(options.value));
  }
  return at_head(options, [&](Cluster& cluster, int host) {
    return cluster::set_loss(cluster, host, options.rail, wanted);
  });
}

using Shared = std::shared_ptr<Options>;

CLI::App* add(CLI::App* parent, const Shared& options, const char* name, const char* text) {
  CLI::App* command = parent->add_subcommand(name, text);
  add_cluster_name(command, &options->name);
  return command;
}

void add_life(CLI::App* parent, const Shared& options, int& code) {
  CLI::App* command = add(parent, options, "up", "Make a cluster of N hosts, h0 to hN-1");
  command->add_option("N", options->hosts, "Number of hosts")->required();
  command->add_option("--rails", options->rails, "Networks that join all hosts (1)");
  command->add_option("--while", options->while_pid,
                      "End the cluster with this process; in a script: --while $$")
      ->check(number_from(1, std::numeric_limits<pid_t>::max()));
  command->callback([options, &code] { code = answer(up(*options)); });

  command = add(parent, options, "down", "End it, with everything that runs on it");
  command->callback([options, &code] { code = answer(cluster::take_down(options->name)); });

  command = parent->add_subcommand("status", "Show hosts, addresses and faults of all clusters");
  CLI::Option* one = add_cluster_name(command, &options->name);
  command->callback([options, one, &code] { code = answer(status(*options, one->count() > 0)); });
}

// link, rate, loss: HOST VALUE [RAIL]
void add_cable(CLI::App* parent, const Shared& options, int& code, const char* name,
               const char* value, const char* text, Result<> (*work)(const Options&)) {
  CLI::App* command = add(parent, options, name, text);
  command->add_option("HOST", options->host, "h0, h1 ...")->required();
  command->add_option(value, options->value, "What it shall be")->required();
  command->add_option("RAIL", options->rail, "Which of its cables (0)");
  command->callback([options, work, &code] { code = answer(work(*options)); });
}

void add_host_fault(CLI::App* parent, const Shared& options, int& code, const char* name,
                    const char* text, std::function<Result<>(Cluster&, int)> work) {
  CLI::App* command = add(parent, options, name, text);
  command->add_option("HOST", options->host, "h0, h1 ...")->required();
  if (std::string_view(name) == "kill") {
    command->add_flag("--keep-links", options->keep_links,
                      "Let the dying kernel close its connections, as when all programs crash");
  }
  command->callback(
      [options, work = std::move(work), &code] { code = answer(at_head(*options, work)); });
}

}  // namespace

int complain_about_cluster(const Error& error) {
  complain_about_last_error("cluster");
  return error.code == Errc::not_supported ? kExitUnavailable : kExitUsage;
}

CLI::Option* add_cluster_name(CLI::App* command, std::string* name) {
  // On a cluster its own commands mean that cluster.
  *name = env::text("CANOPY_CLUSTER").value_or("default");
  return command->add_option("--name", *name, "Which cluster (" + *name + ")");
}

void add_cluster(CLI::App& app, int& code) {
  CLI::App* parent = app.add_subcommand("cluster", "Fake hosts on this machine, and their faults");
  auto options = std::make_shared<Options>();  // lives as long as the callbacks below
  add_life(parent, options, code);
  add_cluster_guests(*parent, code);
  add_cable(parent, options, code, "link", "up|down", "Put a host's cable in, or pull it out",
            link);
  add_cable(parent, options, code, "rate", "RATE|off",
            "Limit a host's cable in both directions, such as 400mbit", rate);
  add_cable(parent, options, code, "loss", "PERCENT|off",
            "Drop this share of a host's packets in both directions", loss);
  add_host_fault(parent, options, code, "kill", "Cut a host's power: it dies without a word",
                 [options](Cluster& cluster, int host) {
                   return cluster::kill_host(cluster, host, options->keep_links);
                 });
  add_host_fault(parent, options, code, "pause", "Freeze every process of a host",
                 cluster::pause_host);
  add_host_fault(parent, options, code, "resume", "Let a paused host go on", cluster::resume_host);
  parent->require_subcommand(0, 1);  // none is our own error sentence below
  parent->callback([parent, &code] {
    if (parent->get_subcommands().empty()) {
      std::vector<std::string> names;
      for (const CLI::App* command : parent->get_subcommands({})) {
        names.push_back(command->get_name());
      }
      code =
          complain("cluster", fmt::format("a command is missing; known are: {} (see canopy cluster "
                                          "--help)",
                                          fmt::join(names, ", ")));
    }
  });
}

}  // namespace canopy::cli
