// What the subcommands of `canopy` share. Single-threaded, like the whole program.
//
// A subcommand is one add_NAME function: it declares its options and stores its exit code in `code`
// when it was the one chosen. A new one is added to the list in main.cc.
#pragma once

#include "launcher/cli/output.h"

#include <cstdint>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace canopy::cli {

// Of anything the user can put right: an unknown option, a missing file, a bad spec.
inline constexpr int kExitUsage = 2;

void add_topo(CLI::App& app, int& code);
// `behind_mark`: the arguments from "--" on.
void add_run(CLI::App& app, const std::vector<std::string>& behind_mark, int& code);
void add_info(CLI::App& app, int& code);
void add_trace(CLI::App& app, int& code);
void add_cluster(CLI::App& app, int& code);
void add_bench(CLI::App& app, int& code);
void add_smi(CLI::App& app, int& code);

// Prints "canopy COMMAND: SENTENCE" to stderr; returns kExitUsage.
int complain(std::string_view command, std::string_view sentence);
// The same with the newest error sentence of this thread.
int complain_about_last_error(std::string_view command);

// "64 GiB", "23.5 GiB", "1472 MiB": at most one decimal, and that only above 10.
std::string readable_bytes(uint64_t bytes);

// The absolute path of `program` as execvp would find it; "" when there is none to execute.
std::string find_program(const std::string& program);

}  // namespace canopy::cli
