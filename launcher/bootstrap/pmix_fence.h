// One PMIx fence that gives every PE the committed data of all PEs of all hosts.
#pragma once

#include "launcher/bootstrap/pmix_session.h"
#include "runtime/base/waiter.h"

namespace canopy {

// REQUIRES: all PEs are known to be on their way into this call, so that no server holds the fence
// open for long (pmix_bootstrap.h says why).
Result<> collect_all_data(const PmixSession& session, Deadline deadline);

}  // namespace canopy
