// PmixRollCall: which PEs have come to a fence that does not complete.
//
// A fence tells nobody who is missing. So every PE that has waited for a second leaves a mark (a
// key with the fence's generation) at its server, and who has to report asks for the marks of the
// others: a PE without a mark has not come. Costs nothing while fences complete.
#pragma once

#include "launcher/bootstrap/pmix_session.h"

#include <chrono>
#include <span>
#include <string>
#include <vector>

namespace canopy {

class PmixRollCall {
 public:
  PmixRollCall(const PmixSession& session, uint64_t generation);

  // Leaves this PE's mark; once is enough, more do nothing.
  void mark();

  // Those of `pes` whose mark cannot be seen within `limit`. A PE on a host that does not answer
  // counts as missing too. The question to one's own server is a round trip: what the server sent
  // before its answer, such as the end of the fence, has been received when this returns.
  std::vector<int> missing(std::span<const int> pes, std::chrono::milliseconds limit) const;

 private:
  const PmixSession& session_;
  std::string key_;
  bool marked_ = false;
};

// "pe 2", "pe 2, pe 3", "pe 2, pe 3 and 10 more".
std::string name_pes(std::span<const int> pes);

}  // namespace canopy
