// PmixBootstrap: the job as a launcher with PMIx (mpirun, srun --mpi=pmix) has started it.
//
// MPI_Init is not needed; a program may call it before or after (pmix_session.h says how both live
// together). PEs wait for each other by keys, not by PMIx_Fence: if a process ends while a fence is
// open at its server, libpmix 4.2 breaks the fence off at times (PARTIAL SUCCESS), and mpirun 4.1
// then crashes or hangs in one of four ends of a job, so that the job has no exit status (2026-11).
// With open PMIx_Gets it ended well in 70 of 70.
//
//   keys of collective call G:       who commits it         who waits for it
//     canopy.card.G  (exchange only)   every PE               -
//     canopy.up.G                      every PE but 0, when   its parent in a tree of 4 children
//                                      all below have come
//     canopy.down.G                    PE 0, when all came    everybody else
//
// Only over several hosts, and only when all are known to have come, a fence follows: in an
// exchange for the cards, in finalize so that no server forgets the keys too early (pmix_fence.h).
//
// A process that joins its job again meets the others in shared memory, if all are on one host (host_meeting.h).
//
// A wait that lasts gets attention (arrival_wait.h). When a PE of this host has ended, one PE says
// so and aborts the job. After a failed wait the PEs no longer agree about where they are: every
// later call fails, abort() excepted.
#pragma once

#include "launcher/bootstrap/bootstrap.h"
#include "launcher/bootstrap/launcher_watch.h"
#include "launcher/bootstrap/pmix_session.h"
#include "runtime/base/waiter.h"

#include <string>

namespace canopy {

class PmixBootstrap final : public Bootstrap {
 public:
  static Result<std::unique_ptr<Bootstrap>> create();
  explicit PmixBootstrap(std::unique_ptr<PmixSession> session);
  // Without finalize() before, closes this process's side only and waits for nobody.
  ~PmixBootstrap() override = default;

  int pe() const override { return pe_; }
  int n_pes() const override { return n_pes_; }
  std::string_view kind() const override { return "pmix"; }

  Result<std::vector<std::string>> exchange(std::string_view card) override;
  Result<> barrier() override;
  // Says the reason unless it is empty, then has the launcher end every process of the job: SIGTERM
  // after 1 s, and SIGKILL 1 s later for those that live on (mpirun 4.1). The launcher's exit
  // status is the low 8 bits of `status`; 0 is legal and ends the job as well.
  void abort(int status, std::string_view reason) override;
  Result<> finalize() override;

 private:
  Result<> require_usable(std::string_view call) const;
  bool is_on_several_hosts() const;
  Result<> find_meeting();
  Result<> meet(std::string_view call);
  Result<std::vector<std::string>> exchange_at_server(std::string_view call, std::string_view card);
  Result<std::vector<std::string>> meet_here(HostMeeting& meeting, std::string_view call, std::string_view card);
  Result<> meet_at_server(std::string_view call, uint64_t generation, Deadline deadline);
  tl::unexpected<Error> give_up(std::string_view call, const Error& error);
  Result<> wait_for_all(std::string_view call, uint64_t generation, Deadline deadline);
  Result<> put_card(const std::string& key, std::string_view card);
  Result<std::string> get_card(const std::string& key, int pe);

  std::unique_ptr<PmixSession> session_;  // null after finalize
  int pe_;
  int n_pes_;
  std::string name_;    // "pe 2 of 4"
  bool looked_for_meeting_ = false;
  std::string broken_;  // the call whose wait failed, empty while all is well
  std::unique_ptr<LauncherWatch> launcher_;  // null after finalize
};

}  // namespace canopy
