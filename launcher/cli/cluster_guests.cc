// canopy cluster exec, mpirun, agent: commands that run on fake hosts.
#include "launcher/cli/cluster_command.h"
#include "launcher/cluster/guest.h"
#include "runtime/base/env.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include <signal.h>
#include <sys/prctl.h>

namespace canopy::cli {
namespace {
namespace fs = std::filesystem;
using cluster::Cluster;
using cluster::Guest;
using Words = std::vector<std::string>;

// As shells have it: the command could not be started.
constexpr int kExitCannotStart = 127;

std::string working_folder() {
  std::error_code err;
  const fs::path folder = fs::current_path(err);
  return err ? "/" : folder.string();
}

// The absolute path of a program as the shell would find it, or "".
std::string absolute_program(const std::string& program) {
  const std::string found = find_program(program);
  return found.empty() ? "" : fs::absolute(found).lexically_normal().string();
}

// Never comes back to the caller when it succeeds.
int become(Cluster& cluster, int place, const Guest& guest) {
  const Result<> failed = become_guest(cluster, place, guest);
  complain_about_cluster(failed.error());
  return kExitCannotStart;
}

Words without_separator(Words words) {
  if (!words.empty() && words.front() == "--") {
    words.erase(words.begin());
  }
  return words;
}

int exec(const std::string& name, const Words& words) {
  if (words.size() < 2) {
    return complain("cluster", "exec needs a host and a command: canopy cluster exec h0 hostname");
  }
  auto cluster = Cluster::open(name);
  if (!cluster) {
    return complain_about_cluster(cluster.error());
  }
  const auto place = cluster::parse_place(cluster->layout(), words[0]);
  if (!place) {
    return complain_about_cluster(place.error());
  }
  Guest guest{without_separator({words.begin() + 1, words.end()}), working_folder()};
  if (guest.words.empty()) {
    return complain("cluster", "exec needs a command after the host");
  }
  const Words entries = cluster::entries_for({guest.folder, absolute_program(guest.words.front())});
  Result<> ready = cluster->go_to_head();
  if (ready && *place != cluster::kHead) {
    ready = cluster->show_on_host(*place, entries);
  }
  return ready ? become(*cluster, *place, guest) : complain_about_cluster(ready.error());
}

// What the arguments of an mpirun say about this job, as far as it concerns us.
struct MpirunArguments {
  bool names_hosts = false;
  Words paths;  // that the hosts must see
};

// mpirun's options are many, and their number of values differs: so a program is recognised by
// being one. What comes before the first is mpirun's.
MpirunArguments read_arguments(const Words& words) {
  constexpr std::string_view kHostOptions[] = {"host", "H", "hostfile", "machinefile",
                                               "default-hostfile"};
  constexpr std::string_view kFolderOptions[] = {"wdir", "wd"};
  const auto is_one_of = [](const auto& options, std::string_view word) {
    word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
    return std::find(std::begin(options), std::end(options), word) != std::end(options);
  };
  MpirunArguments arguments;
  bool before_program = true;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with('-')) {
      arguments.names_hosts |= before_program && is_one_of(kHostOptions, words[i]);
      if (is_one_of(kFolderOptions, words[i]) && i + 1 < words.size()) {
        arguments.paths.push_back(fs::absolute(words[i + 1]));
      }
    } else if (const std::string program = absolute_program(words[i]); !program.empty()) {
      before_program = false;
      arguments.paths.push_back(program);
    }
  }
  return arguments;
}

Result<> show_on_all(const Cluster& cluster, const Words& entries) {
  for (int host = 0; host < cluster.layout().hosts; ++host) {
    if (cluster.state_of(host) != Cluster::HostState::dead) {
      CANOPY_TRY(cluster.show_on_host(host, entries));
    }
  }
  return {};
}

int mpirun(const std::string& name, const Words& given) {
  const std::string program = env::text("CANOPY_MPIRUN").value_or("mpirun");
  if (find_program(program).empty()) {
    return complain("cluster",
                    fmt::format("'{}' is not an executable program; install openmpi-bin, "
                                "or set CANOPY_MPIRUN",
                                program));
  }
  auto cluster = Cluster::open(name);
  if (!cluster) {
    return complain_about_cluster(cluster.error());
  }
  MpirunArguments arguments = read_arguments(given);
  Guest guest{{program}, working_folder()};
  if (!arguments.names_hosts) {
    guest.words.insert(guest.words.end(), {"--hostfile", cluster->files().path("hostfile")});
  }
  guest.words.insert(guest.words.end(), given.begin(), given.end());
  arguments.paths.push_back(guest.folder);
  const Words entries = cluster::entries_for(arguments.paths);
  Result<> ready = cluster->go_to_head();
  if (ready) {
    ready = show_on_all(*cluster, entries);
  }
  return ready ? become(*cluster, cluster::kHead, guest) : complain_about_cluster(ready.error());
}

// Called by mpirun on the head, in place of ssh: agent HOST TEXT-FOR-A-SHELL...
int agent(const std::string& name, const Words& words) {
  if (words.size() < 2) {
    return complain("cluster", "agent needs a host and a command; it is for mpirun to call");
  }
  // A client that survives mpirun would keep what runs on its host alive.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto cluster = Cluster::open(name);
  if (!cluster) {
    return complain_about_cluster(cluster.error());
  }
  const auto host = cluster::parse_host(cluster->layout(), words[0]);
  if (!host) {
    return complain_about_cluster(host.error());
  }
  if (Result<> at_head = cluster->go_to_head(); !at_head) {
    return complain_about_cluster(at_head.error());
  }
  // orted goes to the job's working folder by itself; like sshd, we start it at home.
  const std::string text = fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " "));
  return become(*cluster, *host, Guest{{"/bin/sh", "-c", text}, "/", true});
}

void add_guest(CLI::App& parent, int& code, const char* name, const char* text, const char* usage,
               int (*work)(const std::string&, const Words&)) {
  auto cluster_name = std::make_shared<std::string>();  // lives as long as the callback below
  CLI::App* command = parent.add_subcommand(name, text);
  add_cluster_name(command, cluster_name.get());
  command->footer(usage);
  command->prefix_command();  // from the first other word on, everything is the command's
  command->callback([cluster_name, command, work, &code] {
    code = work(*cluster_name, without_separator(command->remaining()));
  });
}

}  // namespace

void add_cluster_guests(CLI::App& parent, int& code) {
  add_guest(parent, code, "exec", "Run a command on a host (or on the head)",
            "canopy cluster exec [--name NAME] HOST COMMAND [ARGUMENTS]\n"
            "The command runs in the present folder and ends as it ends there.",
            exec);
  add_guest(
      parent, code, "mpirun", "Run mpirun on the head, over the hosts",
      "canopy cluster mpirun [--name NAME] [--] MPIRUN-ARGUMENTS\n"
      "Without --host or --hostfile all hosts are used, with as many slots as this machine has "
      "cores.",
      mpirun);
  add_guest(parent, code, "agent", "What mpirun calls in place of ssh", "", agent);
}

}  // namespace canopy::cli
