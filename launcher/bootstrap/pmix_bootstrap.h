// PmixBootstrap: the job as a launcher with PMIx (mpirun, srun --mpi=pmix) has started it.
//
// MPI_Init is not needed; a program may call it before or after (pmix_session.h says how both live
// together). Cards travel as one key per exchange, "canopy.card.<generation>".
//
// A wait that lasts gets attention: after a second it looks whether a PE of this host has ended
// (sibling_watch.h), says so once per host and aborts the job; after 60 s, and every 60 s, one PE
// per host reports who has not come; at the deadline (CANOPY_TIMEOUT) it fails with that list.
// After a failed wait the PEs no longer agree about where they are: every later call fails, abort()
// excepted.
#pragma once

#include "launcher/bootstrap/bootstrap.h"
#include "launcher/bootstrap/pmix_fence.h"
#include "launcher/bootstrap/pmix_session.h"

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
  // Says the reason unless it is empty, then has the launcher end every process of the job:
  // SIGTERM, and SIGKILL 2 s later for those that live on (mpirun 4.1). The launcher's exit status
  // is the low 8 bits of `status`; 0 is legal and ends the job as well.
  void abort(int status, std::string_view reason) override;
  Result<> finalize() override;

 private:
  Result<> require_usable(std::string_view call) const;
  Result<> put_card(const std::string& key, std::string_view card);
  Result<std::string> get_card(const std::string& key, int pe);
  Result<> fence(PmixFence::Data data, std::string_view call, uint64_t generation);

  std::unique_ptr<PmixSession> session_;  // null after finalize
  int pe_;
  int n_pes_;
  std::string name_;    // "pe 2 of 4"
  std::string broken_;  // the call whose wait failed, empty while all is well
};

}  // namespace canopy
