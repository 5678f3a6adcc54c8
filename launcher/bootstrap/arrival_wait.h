// ArrivalWait: the wait of one collective call for PEs to come, and what is done when it lasts.
//
// After a second it leaves a mark "here" at its server and begins to look whether a PE of this host
// has ended; after 60 s, and every 60 s, one PE per host reports who is missing; the deadline fails
// with that list. While PEs come in time none of this costs anything. One per call, used by one
// thread.
#pragma once

#include "launcher/bootstrap/pmix_gets.h"
#include "launcher/bootstrap/pmix_session.h"
#include "launcher/bootstrap/sibling_watch.h"
#include "runtime/base/waiter.h"

#include <optional>
#include <string>
#include <string_view>

namespace canopy {

class ArrivalWait {
 public:
  // `call` is the user's word for what waits ("exchange"). A PE commits `arrival_key` when all
  // below it in the tree have come, and PE 0 commits `release_key` when all have: who ends after
  // that is nobody's loss. All three must outlive this object.
  ArrivalWait(const PmixSession& session, std::string_view call, const std::string& arrival_key,
              const std::string& release_key, uint64_t generation, Deadline deadline);

  // Returns when all of `gets` are found. Errc::timeout: the deadline passed. Errc::peer_lost: PEs
  // of this host have ended, said in the newest error sentence; it is then for this PE, alone on
  // its host, to report that and to end the job. (The others stay in their wait until they are
  // ended.)
  Result<> wait(PmixGets& gets);

 private:
  void await_answers(PmixGets& gets);
  void pause(uint64_t span_ns);
  Result<> look();
  std::optional<std::string> lost_siblings();
  bool is_released() const;
  bool somebody_has_spoken(const std::vector<int>& ended) const;
  void report_if_first_on_host();
  void mark_here();
  std::vector<int> without_sign(std::vector<int> pes, PmixGets::Patience patience) const;
  std::string missing_pes();

  const PmixSession& session_;
  std::string_view call_;
  const std::string& arrival_key_;
  const std::string& release_key_;
  std::string here_key_;    // "I have come"
  std::string spoken_key_;  // "I report and end the job": others of the host keep quiet
  Deadline deadline_;
  std::optional<SiblingWatch> watch_;  // made when the wait lasts
  bool marked_here_ = false;
  bool released_ = false;  // all had come, only the answer to our own question is late
  uint64_t start_ns_;
  uint64_t next_look_ns_;
  uint64_t next_report_ns_;
  uint64_t speak_at_ns_ = 0;  // 0: nobody seems to be lost
};

}  // namespace canopy
