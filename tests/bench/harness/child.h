// Runs one command and collects what it printed, with a time limit.
//
// REQUIRES: SIGCHLD is blocked in every thread (block_child_signals(), first thing in main),
// because the wait takes it with sigtimedwait; and one command runs at a time.
#pragma once

#include "runtime/base/result.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace canopy::bench {

struct Command {
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // added to ours
  std::chrono::seconds limit{120};
};

struct ChildOutput {
  std::string text;  // its stdout
  double wall_ms;    // from just before the fork to the end of the child
};

void block_child_signals();

// The output of a command that ended with status 0. stderr goes to the error sentence when it did
// not. Errors: timeout (it got SIGTERM, then SIGKILL), not_supported (status 3: this machine cannot do
// it), closed (another status or a signal), io.
Result<ChildOutput> run_child(const Command& command);

// For messages: the words, separated by blanks.
std::string to_string(const Command& command);

}  // namespace canopy::bench
