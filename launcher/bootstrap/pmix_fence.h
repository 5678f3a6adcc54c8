// PMIx fences over all PEs of the job.
//
// REQUIRES, for both: all PEs are known to be on their way into the call, so that no server holds
// the fence open for long (pmix_bootstrap.h says why).
#pragma once

#include "launcher/bootstrap/pmix_session.h"
#include "runtime/base/waiter.h"

namespace canopy {

// Gives every PE the committed data of all PEs of all hosts.
Result<> collect_all_data(const PmixSession& session, Deadline deadline);

// Returns when all PEs have called it, and needs no server's data for that: Open MPI's server of a
// host forgets the job's keys when the last PE of that host has gone, and who asks for one of them
// later waits for ever.
Result<> pass_fence(const PmixSession& session, Deadline deadline);

}  // namespace canopy
