#include "launcher/cluster/guest.h"

#include "launcher/cluster/namespaces.h"
#include "launcher/cluster/private_mounts.h"
#include "runtime/base/env.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <unistd.h>

extern char** environ;

namespace canopy::cluster {
namespace {
namespace fs = std::filesystem;

void set(const char* name, const std::string& value) { setenv(name, value.c_str(), 1); }

std::string rail_networks(const Layout& layout) {
  std::vector<std::string> networks;
  for (int rail = 0; rail < layout.rails; ++rail) {
    networks.push_back(rail_address(kHead, rail) + "/16");
  }
  return fmt::format("{}", fmt::join(networks, ","));
}

// Open MPI's settings, as defaults: options of the user's mpirun command go before them.
void set_mpirun_defaults(const Cluster& cluster) {
  const ClusterFiles& files = cluster.files();
  set("OMPI_MCA_plm_rsh_agent", files.path("canopy") + " cluster agent");
  set("OMPI_MCA_oob_tcp_if_include", rail_address(kHead, 0) + "/16");
  set("OMPI_MCA_btl_tcp_if_include", rail_networks(cluster.layout()));
  set("OMPI_MCA_hwloc_base_binding_policy", "none");  // a PE's executors use several cores
  set("OMPI_MCA_orte_local_tmpdir_base", files.path("session"));
  if (geteuid() == 0) {
    set("OMPI_ALLOW_RUN_AS_ROOT", "1");
    set("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
  }
}

// What sshd and login would set; a real host knows nothing else of the caller's environment.
void keep_login_environment() {
  std::vector<std::string> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    constexpr std::string_view kLogin[] = {"HOME", "USER", "LOGNAME", "SHELL",
                                           "PATH", "LANG", "TERM",    "TZ"};
    if (name.starts_with("LC_") ||
        std::find(std::begin(kLogin), std::end(kLogin), name) != std::end(kLogin)) {
      kept.emplace_back(text);
    }
  }
  clearenv();
  for (const std::string& entry : kept) {
    const size_t equals = entry.find('=');
    setenv(entry.substr(0, equals).c_str(), entry.c_str() + equals + 1, 1);
  }
}

// A folder for temporary files that only the caller's machine has would fail every program.
void forget_foreign_temporary_folders() {
  for (const char* name : {"TMPDIR", "TMP", "TEMP"}) {
    if (const auto folder = env::text(name); folder && access(folder->c_str(), W_OK) != 0) {
      unsetenv(name);
    }
  }
}

}  // namespace

Result<> become_guest(Cluster& cluster, int place, const Guest& guest) {
  if (place != kHead) {
    CANOPY_TRY(cluster.go_to_host(place, guest.like_ssh));
  }
  if (chdir(guest.folder.c_str()) != 0) {
    return fail_errno(Errc::not_found, errno, "{}: cannot go to the working folder {}",
                      host_name(place), guest.folder);
  }
  if (guest.like_ssh) {
    keep_login_environment();
  }
  forget_foreign_temporary_folders();
  set("CANOPY_CLUSTER", cluster.files().name());
  set("CANOPY_CLUSTER_HOSTS", fmt::format("{}", cluster.layout().hosts));
  if (place == kHead) {
    set_mpirun_defaults(cluster);
  }
  if (geteuid() != 0) {  // root is given all rights again by exec itself
    place == kHead ? keep_rights_over_exec() : drop_rights_at_exec();
  }
  std::vector<char*> argv;
  for (const std::string& word : guest.words) {
    argv.push_back(const_cast<char*>(word.c_str()));  // execvp does not write to them
  }
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  return fail_errno(Errc::not_found, errno, "{}: cannot start {}", host_name(place),
                    guest.words[0]);
}

Result<> link_program(const ClusterFiles& files) {
  std::error_code err;
  const fs::path program = fs::read_symlink("/proc/self/exe", err);
  if (!err) {
    fs::create_symlink(program, files.path("canopy"), err);
  }
  if (err) {
    return fail_errno(Errc::io, err.value(), "cannot link to this program in {}", files.folder());
  }
  return {};
}

std::vector<std::string> entries_for(const std::vector<std::string>& paths) {
  std::vector<std::string> entries;
  for (const std::string& path : paths) {
    std::error_code none;  // a path that cannot be resolved is taken as it is
    const fs::path resolved = fs::canonical(path, none);
    for (const std::string& form :
         {fs::path(path).lexically_normal().string(), resolved.string()}) {
      const std::string entry = entry_to_show(form);
      if (!entry.empty() && std::find(entries.begin(), entries.end(), entry) == entries.end()) {
        entries.push_back(entry);
      }
    }
  }
  return entries;
}

}  // namespace canopy::cluster
