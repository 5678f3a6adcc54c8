// Relay: going on as another process, with the first one left behind as its stand-in.
#pragma once

#include "runtime/base/result.h"

#include <functional>

namespace canopy::cluster {

// Returns in a new child only. The calling process stays behind: it passes on the signals that
// other processes send to it (not the terminal's, which the child gets itself) and ends as the
// child ends, with 128 + the signal's number where that was one. The child is killed when it is
// killed.
//
// This is how a process gets into a pid namespace, which only children can. One thread only.
//
// `before_end` is called in the stand-in with the child's status, as waitpid() gives it, when that
// has ended; signals end the stand-in again by then.
Result<> go_on_as_child(const std::function<void(int status)>& before_end = nullptr);

}  // namespace canopy::cluster
