// Waits for a posted fence, and finds out why it does not complete (pmix_bootstrap.h says what a PE
// does when a wait lasts).
#pragma once

#include "launcher/bootstrap/pmix_fence.h"
#include "launcher/bootstrap/pmix_mark.h"
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
  // this host have ended, said in the newest error sentence; it is then for this PE, alone on its
  // host, to report that and to end the job. (The others stay in their wait until they are ended.)
  Result<> wait(Deadline deadline);

 private:
  std::optional<std::string> lost_siblings(uint64_t now_ns);
  bool somebody_has_spoken(std::span<const int> ended);
  void report_if_first_on_host(uint64_t now_ns);
  std::string missing_pes();

  const PmixSession& session_;
  PmixFence& fence_;
  std::string_view call_;
  PmixMark here_;    // "I have come to this fence"
  PmixMark spoken_;  // "I report and end the job", so that others of the host keep quiet
  std::optional<SiblingWatch> watch_;  // made when the wait lasts
  uint64_t start_ns_;
  uint64_t next_look_ns_;
  uint64_t next_report_ns_;
  uint64_t speak_at_ns_ = 0;  // 0: nobody seems to be lost
};

}  // namespace canopy
