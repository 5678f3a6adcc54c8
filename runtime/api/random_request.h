// From the interface's description of random numbers to the runtime's.
#pragma once

#include "acl/acl.h"
#include "runtime/core/random.h"

namespace canopy::acl {

Result<RandomRequest> random_request_of(const aclrtRandomNumTaskInfo& info);

}  // namespace canopy::acl
