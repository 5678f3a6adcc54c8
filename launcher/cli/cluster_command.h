// What the two files of `canopy cluster` share.
#pragma once

#include "launcher/cli/command.h"
#include "runtime/base/result.h"

#include <string>

namespace canopy::cli {

// Not the user's mistake: this machine cannot do it (no namespaces, a tool is missing). Tests that
// see this are skipped.
inline constexpr int kExitUnavailable = 3;

// Prints the newest error sentence; returns kExitUnavailable or kExitUsage.
int complain_about_cluster(const Error& error);

// --name, with its default.
CLI::Option* add_cluster_name(CLI::App* command, std::string* name);

// exec, mpirun, agent.
void add_cluster_guests(CLI::App& parent, int& code);

}  // namespace canopy::cli
