// PmixMark: a flag with a name that a PE leaves at its PMIx server and that other PEs can look for.
//
// This is how a fence that does not complete finds out who is missing: a fence tells nobody, so
// every PE that has waited for a second leaves a mark with the fence's generation, and who has to
// report looks for the marks of the others. Costs nothing while fences complete.
#pragma once

#include "launcher/bootstrap/pmix_session.h"

#include <chrono>
#include <span>
#include <string>
#include <vector>

namespace canopy {

class PmixMark {
 public:
  // `key` names the mark; it must be new in the job.
  PmixMark(const PmixSession& session, std::string key);

  // Leaves this PE's mark; once is enough, more do nothing.
  void leave();

  // Those of `pes`, PEs of any host, whose mark cannot be seen within `limit`. A PE on a host that
  // does not answer counts as missing too.
  std::vector<int> missing(std::span<const int> pes, std::chrono::milliseconds limit) const;

  // The same for PEs of this host, without giving late marks a chance. Only our own server is
  // asked: what it sent before its answer, such as the end of the fence, has been received on
  // return.
  std::vector<int> missing_here(std::span<const int> local_pes) const;

 private:
  std::vector<int> ask(std::span<const int> pes, void* pmix_info,
                       std::chrono::milliseconds limit) const;

  const PmixSession& session_;
  std::string key_;
  bool left_ = false;
};

// "pe 2", "pe 2, pe 3", "pe 2, pe 3 and 10 more".
std::string name_pes(std::span<const int> pes);

}  // namespace canopy
