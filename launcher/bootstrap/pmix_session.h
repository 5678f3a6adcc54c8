// PmixSession: one hold on this process's connection to the launcher's PMIx server.
//
// libpmix is a process-wide thing, so the connection is counted: the first hold opens it, and the
// last one closes it - except in a program that has MPI in it. There it stays open until exit,
// because Open MPI 4.1 cannot MPI_Init any more once PMIx was closed ("getting local rank failed":
// after a second PMIx_Init the per-rank values are gone; the values of the whole job, which are all
// we use, still come). A program without MPI closes it, since mpirun calls it an improper end when
// a process that is still connected leaves by _exit. When it opens it again, it stays open, too: every further opening gets
// slower, and grows (from the 16th on many took more than a second).
//
// open() and the destructor are thread-safe. The child of a fork holds nothing: its sessions do
// nothing in their destructors, and open() fails there.
#pragma once

#include "launcher/bootstrap/host_meeting.h"
#include "runtime/base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace canopy {

// Who this process is in the job.
struct PmixJob {
  std::string nspace;  // the launcher's name of the job
  int pe = 0;          // PMIx rank
  int n_pes = 1;
  std::vector<int> local_pes;  // PEs on this host, ascending; empty when the launcher does not say
};

class PmixSession {
 public:
  // REQUIRES (else an error, never a job of one): a launcher's PMIx server can be reached.
  static Result<std::unique_ptr<PmixSession>> open();
  ~PmixSession();
  PmixSession(const PmixSession&) = delete;
  PmixSession& operator=(const PmixSession&) = delete;

  const PmixJob& job() const { return job_; }
  std::string name() const;  // "pe 2 of 4"

  // A number that no earlier collective of this job has used; equal on all PEs, because every PE
  // makes the same collective calls. It never starts again within a process: keys that were put
  // before a finalize stay readable after the next init.
  uint64_t next_generation();
  // This process has taken part in collectives of its job before the session was opened.
  bool is_back() const { return is_back_; }
  // Where PEs that are back meet: of the process, kept until it ends. Null: nowhere yet.
  HostMeeting* meeting() const;
  void set_meeting(HostMeeting meeting);

 private:
  PmixSession(PmixJob job, bool is_back) : job_(std::move(job)), is_back_(is_back) {}
  PmixJob job_;
  bool is_back_;
};

}  // namespace canopy
