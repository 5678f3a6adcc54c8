// canopy info: what this build is, what it finds on this host, and which settings are in force; with
// --api what of the acl interface is built.
#include "launcher/cli/api_list.h"
#include "launcher/cli/command.h"
#include "runtime/base/env.h"
#include "topology/discover/discover.h"
#include "topology/model/host_memory.h"
#include "topology/model/spec_file.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include <hwloc.h>
#include <sys/utsname.h>
#include <nlohmann/json.hpp>

extern char** environ;

namespace canopy::cli {
namespace {
namespace fs = std::filesystem;

void item(std::string_view name, std::string_view value) { say("{:<17}{}\n", name, value); }

// Where a library of ours lies: beside this program in a build tree and in an installation.
std::string library_state(std::string_view library) {
  std::error_code ignored;  // a program whose path cannot be read finds nothing, and says so
  fs::path folder = fs::canonical("/proc/self/exe", ignored).parent_path();
  for (std::string_view place : {"../lib", "../" CANOPY_LIBDIR}) {
    fs::path candidate = (folder / place / library).lexically_normal();
    if (fs::exists(candidate, ignored)) {
      return candidate.string();
    }
  }
  return "not built";
}

void print_build() {
  item("canopy", CANOPY_VERSION);
  std::string sanitizers = CANOPY_SANITIZERS;
  item("build", fmt::format("{}{}", CANOPY_BUILD_TYPE,
                            sanitizers.empty() ? "" : ", sanitizers: " + sanitizers));
  item("compiler", __VERSION__);
  unsigned version = hwloc_get_api_version();
  item("hwloc interface",
       fmt::format("{}.{}.{}", version >> 16, (version >> 8) & 0xff, version & 0xff));
  item("nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                    NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH));
  item("CLI11", CLI11_VERSION);
  item("acl runtime", library_state("libcanopy_acl.so"));
  item("shmem", library_state("libcanopy_shmem.so"));
  item("ofi plugin", library_state("libcanopy_ofi.so"));
}

void print_host() {
  utsname system{};
  if (uname(&system) == 0) {
    item("kernel", fmt::format("{} {} {}", system.sysname, system.release, system.machine));
  }
  if (auto host = topology::discover_host("")) {
    item("cores", std::to_string(host->cores));
  }
  topology::HostMemory memory = topology::usable_memory();
  item("memory", readable_bytes(memory.bytes) + (memory.by_cgroup ? " (limit of the cgroup)" : ""));
  std::string mpirun = find_program(env::text("CANOPY_MPIRUN").value_or("mpirun"));
  item("mpirun", mpirun.empty() ? "not found: canopy run will not work" : mpirun);
  item("specs", fmt::format("auto, {}", fmt::join(topology::installed_specs(), ", ")));
}

void print_settings() {
  std::vector<std::string> settings;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::string_view(*entry).starts_with("CANOPY_")) {
      settings.emplace_back(*entry);
    }
  }
  std::sort(settings.begin(), settings.end());
  item("settings", settings.empty()
                       ? "none (no CANOPY_ variable is set)"
                       : fmt::format("{}", fmt::join(settings, "\n                 ")));
}

}  // namespace

void add_info(CLI::App& app, int& code) {
  CLI::App* command = app.add_subcommand("info", "Show versions, what is built, and settings");
  auto api = std::make_shared<bool>(false);
  command->add_flag("--api", *api, "List what of the acl interface is built, and what is not");
  command->callback([&code, api] {
    if (*api) {
      print_api();
    } else {
      print_build();
      print_host();
      print_settings();
    }
    code = 0;
  });
}

}  // namespace canopy::cli
