// SiblingWatch: has a PE of this host ended, while the others still wait for it?
//
// mpirun ends the job by itself when a process fails or is killed, and when one that had joined
// leaves without finalize. It does nothing when a process returns 0 before it has joined: the
// others then wait for ever. PMIx has no event for this that arrives (Open MPI 4.1), but /proc
// knows: the processes of the job are the children of mpirun (or its orted), and say in their
// environment which PE they are. A wrapper script between launcher and program is such a child as
// well.
//
// Where /proc does not tell, nothing is guessed: unknown launcher, own pid namespace, hidden or
// unreadable processes, a child that is not past its exec yet all give an empty answer.
//
// Not thread-safe; owned by the PE that waits.
#pragma once

#include "launcher/bootstrap/process_table.h"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace canopy {

struct SiblingReport {
  std::vector<int> ended;  // PEs of this host whose process is not there any more, ascending
  int living_before = 0;   // living PEs of this host with a lower number than ours
};

// "pe 2 of 4 on HOST ended before it joined the job (pe 0 of 4 waits in CALL)".
std::string ended_sentence(const std::vector<int>& ended, int n_pes, std::string_view who_waits, std::string_view call);

class SiblingWatch {
 public:
  // `local_pes`: the PEs of this host, as the launcher names them; empty turns the watch off.
  SiblingWatch(std::string nspace, int pe, std::vector<int> local_pes, int own_pid,
               ProcessTable table = ProcessTable());

  // Looks once. A PE is reported when two looks in a row did not find it. Reads two files per PE at
  // first, one later, and all of /proc only while somebody seems to be missing.
  SiblingReport look();
  // True when the last look missed somebody, so that the next should come soon.
  bool suspects() const;
  // The process that launched this one, past wrapper scripts; 0 when /proc does not tell.
  int launcher() const;

 private:
  struct Process {
    int pid = 0;  // 0: not found
    uint64_t start_ticks = 0;
    bool missed = false;  // the last look did not find it
  };

  bool is_there(const Process& process) const;
  bool find_children();

  ProcessTable table_;
  std::string nspace_;
  int pe_;
  int own_pid_;
  std::vector<std::pair<int, Process>> siblings_;  // by PE, without ourselves
};

}  // namespace canopy
