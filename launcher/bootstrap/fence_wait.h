// Waits for a posted fence, and finds out why it does not complete (pmix_bootstrap.h says what a PE
// does when a wait lasts).
#pragma once

#include "launcher/bootstrap/pmix_fence.h"
#include "launcher/bootstrap/pmix_roll_call.h"
#include "launcher/bootstrap/pmix_session.h"
#include "launcher/bootstrap/sibling_watch.h"
#include "runtime/base/waiter.h"

#include <optional>
#include <string>
#include <string_view>

namespace canopy {

class FenceWait {
 public:
  // `call` is the user's word for it ("exchange"). The arguments must outlive this object.
  FenceWait(const PmixSession& session, PmixFence& fence, std::string_view call,
            uint64_t generation);

  // Returns when the fence is complete. Errc::timeout: the deadline passed. Errc::peer_lost: PEs of
  // this host have ended, said in the newest error sentence; `must_abort` then tells whether it is
  // this PE that has to report it and to end the job.
  Result<> wait(Deadline deadline);
  bool must_abort() const { return must_abort_; }

 private:
  std::optional<std::string> lost_siblings(uint64_t now_ns);
  void report_if_first_on_host(uint64_t now_ns);
  std::string missing_pes();

  const PmixSession& session_;
  PmixFence& fence_;
  std::string_view call_;
  PmixRollCall roll_call_;
  std::optional<SiblingWatch> watch_;  // made when the wait lasts
  uint64_t start_ns_;
  uint64_t next_look_ns_;
  uint64_t next_report_ns_;
  uint64_t speak_at_ns_ = 0;  // 0: nobody seems to be lost
  bool must_abort_ = false;
};

}  // namespace canopy
