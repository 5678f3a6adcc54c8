// ProcessTable: what /proc says about the processes of this host, as far as a job needs it.
//
// Reads only. A question that /proc does not answer (process gone, other user, hidden) has no
// value; callers must not take that for "gone". The root can be another folder, for tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace canopy {

struct ProcessStat {
  int pid = 0;
  int parent = 0;
  std::string command;       // file name of the program, at most 15 bytes
  bool ended = false;        // a zombie with no thread left
  uint64_t start_ticks = 0;  // with the pid, tells a process from a later one of the same pid
};

// The job and rank that a launcher put into a process's environment at exec.
struct LaunchedAs {
  std::string nspace;
  int pe = -1;
};

class ProcessTable {
 public:
  explicit ProcessTable(std::string root = "/proc") : root_(std::move(root)) {}

  std::optional<ProcessStat> stat(int pid) const;
  // Every process that can be seen; empty when /proc is not there.
  std::vector<ProcessStat> all() const;

  enum class Launch : uint8_t {
    unknown,  // the environment cannot be read
    no,       // it names no job
    yes
  };
  Launch launched_as(int pid, LaunchedAs* out) const;

 private:
  std::string root_;
};

}  // namespace canopy
